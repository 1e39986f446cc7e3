module activity-tracker.example/server

go 1.26.0
