module activity-tracker.example/testhost

go 1.26.0
