module activity-tracker.example/testhost

go 1.26.0

require (
	github.com/jezek/xgb v1.1.1
	github.com/spf13/cobra v1.10.2
	golang.org/x/sys v0.49.0
)

require (
	github.com/chromedp/sysutil v1.1.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.4.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
)

require (
	activity-tracker.example/hostd v0.0.0
	activity-tracker.example/server v0.0.0
	activity-tracker.example/sessiond v0.0.0
	github.com/chromedp/cdproto v0.0.0-20250724212937-08a3db8b4327
	github.com/chromedp/chromedp v0.14.2
	github.com/godbus/dbus/v5 v5.2.4
	github.com/holoplot/go-evdev v0.0.0-20260504100651-66d1748fe847
	golang.org/x/crypto v0.58.0
)

replace activity-tracker.example/hostd => ../../hostd

replace activity-tracker.example/server => ../../server

replace activity-tracker.example/sessiond => ../../sessiond
