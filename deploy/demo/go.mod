module activity-tracker.example/demo

go 1.26.0

require (
	activity-tracker.example/server v0.0.0
	activity-tracker.example/testhost v0.0.0
	golang.org/x/sys v0.49.0
)

require github.com/jezek/xgb v1.1.1 // indirect

replace (
	activity-tracker.example/server => ../../server
	activity-tracker.example/testhost => ../testhost
)
