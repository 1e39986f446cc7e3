module activity-tracker.example/house

go 1.26.0
