module activity-tracker.example/sessiond

go 1.26.0

require golang.org/x/sys v0.49.0

require github.com/jezek/xgb v1.1.1

require (
	github.com/godbus/dbus/v5 v5.2.4
	github.com/holoplot/go-evdev v0.0.0-20260504100651-66d1748fe847
	go.uber.org/goleak v1.3.0
)

require github.com/stretchr/testify v1.12.1 // indirect
