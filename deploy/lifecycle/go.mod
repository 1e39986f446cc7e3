module activity-tracker.example/lifecycle

go 1.26.0

require activity-tracker.example/testhost v0.0.0

require (
	github.com/jezek/xgb v1.1.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace activity-tracker.example/testhost => ../testhost
