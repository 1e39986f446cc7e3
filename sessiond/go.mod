module activity-tracker.example/sessiond

go 1.26.0
