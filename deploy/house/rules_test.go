package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// listed is one package as `go list -json` describes it; the names are its.
type listed struct {
	Dir          string
	ImportPath   string
	Name         string
	Doc          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// mayImport has for each package of the three programs, named below the
// modules' prefix, which others of ours it may import outside tests; "x/..."
// means everything below x. No stage imports a later one: logind, roster,
// helper, interval, buffer, upload on the host; store, then ingest and report,
// then httpapi on the server. A new package needs its line here.
var mayImport = map[string][]string{
	"hostd/cmd/trackerd": {"hostd/...", "server/api", "sessiond/wire"},
	"hostd/cmd/trackctl": {"hostd/control", "hostd/text", "server/api"},
	"hostd/text":         nil,
	"hostd/durable":      nil,
	"hostd/outbound":     {"hostd/text", "server/api"},
	"hostd/disclosure":   {"hostd/config", "hostd/control", "hostd/text", "server/api/policy"},
	"hostd/config":       {"hostd/text", "server/api/policy"},
	"hostd/enrollment":   {"hostd/config", "hostd/durable", "hostd/outbound", "hostd/text", "server/api"},
	"hostd/hostid":       {"hostd/durable"},
	"hostd/logind":       nil,
	"hostd/display":      nil,
	"hostd/roster":       {"hostd/display", "hostd/logind", "server/api"},
	"hostd/xrdp":         nil,
	"hostd/reading":      {"hostd/roster", "sessiond/wire"},
	"hostd/packet":       nil,
	"hostd/helper":       {"hostd/logind", "hostd/packet", "hostd/reading", "hostd/roster", "hostd/unit", "sessiond/wire"},
	"hostd/unit":         {"hostd/logind", "hostd/roster"},
	"hostd/hoststat":     nil,
	"hostd/policy":       {"hostd/durable", "hostd/outbound", "hostd/roster", "server/api", "server/api/policy", "sessiond/wire"},
	"hostd/interval":     {"hostd/reading", "hostd/roster", "sessiond/wire", "server/api"},
	"hostd/buffer":       {"hostd/durable"},
	"hostd/collect": {
		"hostd/buffer", "hostd/hoststat", "hostd/interval", "hostd/reading", "hostd/roster",
	},
	"hostd/asking":   {"hostd/buffer", "hostd/durable", "hostd/helper", "hostd/notice", "hostd/roster"},
	"hostd/notice":   {"hostd/control", "hostd/text", "server/api/policy"},
	"hostd/receipts": {"hostd/buffer", "hostd/outbound", "server/api"},
	"hostd/shots": {
		"hostd/durable", "hostd/helper", "hostd/outbound", "hostd/roster", "hostd/text", "hostd/unit", "server/api", "server/api/policy", "sessiond/wire",
	},
	"hostd/selflink":    {"hostd/outbound", "hostd/text", "server/api"},
	"hostd/uncollected": {"hostd/buffer", "hostd/policy", "hostd/roster", "server/api"},

	"hostd/upload":  {"hostd/buffer", "hostd/outbound", "hostd/text", "server/api"},
	"hostd/notify":  {"hostd/text"},
	"hostd/control": {"server/api"},
	"hostd/doctor": {
		"hostd/buffer", "hostd/collect", "hostd/config", "hostd/control", "hostd/enrollment", "hostd/helper",
		"hostd/logind", "hostd/policy", "hostd/roster", "hostd/text", "hostd/upload", "server/api", "sessiond/wire",
	},

	"sessiond/wire":              nil,
	"sessiond/internal/counting": {"sessiond/wire"},
	"sessiond/internal/sys":      nil,
	"sessiond/internal/text":     {"sessiond/wire"},
	"sessiond/internal/launch":   nil,
	"sessiond/internal/x11": {
		"sessiond/internal/counting", "sessiond/internal/sys", "sessiond/internal/text", "sessiond/wire",
	},
	"sessiond/internal/x11/picture": {"sessiond/internal/x11", "sessiond/wire"},
	"sessiond/internal/seat":        {"sessiond/internal/counting", "sessiond/internal/sys", "sessiond/wire"},
	"sessiond/internal/outbox":      {"sessiond/internal/sys", "sessiond/wire"},
	"sessiond/internal/titles":      {"sessiond/internal/counting", "sessiond/wire"},
	"sessiond/internal/loop": {
		"sessiond/internal/counting", "sessiond/internal/outbox", "sessiond/internal/sys", "sessiond/internal/titles", "sessiond/wire",
	},
	"sessiond/internal/wayland":    {"sessiond/internal/sys"},
	"sessiond/internal/compositor": nil,
	"sessiond/internal/focus": {
		"sessiond/internal/compositor", "sessiond/internal/counting", "sessiond/internal/focus/...",
		"sessiond/internal/wayland", "sessiond/wire",
	},
	"sessiond/internal/focus/wlr": {
		"sessiond/internal/counting", "sessiond/internal/text", "sessiond/internal/wayland", "sessiond/wire",
	},
	"sessiond/internal/focus/latest": {"sessiond/internal/counting", "sessiond/internal/sys", "sessiond/wire"},
	"sessiond/internal/focus/kwin": {
		"sessiond/internal/counting", "sessiond/internal/focus/latest", "sessiond/internal/sessionbus", "sessiond/internal/text", "sessiond/wire",
	},
	"sessiond/internal/focus/gnome": {
		"sessiond/internal/counting", "sessiond/internal/focus/latest", "sessiond/internal/sessionbus", "sessiond/internal/text", "sessiond/wire",
	},
	"sessiond/internal/sessionbus":     nil,
	"sessiond/internal/waytest/fake":   nil, // a compositor that lies
	"sessiond/internal/waytest/window": {"sessiond/internal/compositor", "sessiond/internal/wayland"},
	"sessiond/internal/waytest":        nil, // real compositors for tests
	"sessiond/internal/helpertest":     {"sessiond/wire"},
	"sessiond/internal/xtest":          nil, // real X servers for tests
	"sessiond/cmd/sessiond":            {"sessiond/internal/counting", "sessiond/internal/launch", "sessiond/internal/loop", "sessiond/internal/x11"},
	"sessiond/cmd/sessiond-wayland": {
		"sessiond/internal/compositor", "sessiond/internal/counting", "sessiond/internal/focus", "sessiond/internal/launch",
		"sessiond/internal/loop", "sessiond/internal/wayland",
	},
	"sessiond/cmd/shot": {
		"sessiond/internal/launch", "sessiond/internal/sys", "sessiond/internal/titles", "sessiond/internal/x11", "sessiond/internal/x11/picture", "sessiond/wire",
	},
	"sessiond/cmd/seatinput": {"sessiond/internal/counting", "sessiond/internal/launch", "sessiond/internal/loop", "sessiond/internal/seat"},

	"server/api":               nil,
	"server/api/policy":        nil,
	"server/internal/secret":   nil,
	"server/internal/password": nil,
	"server/internal/totp":     nil,
	"server/internal/localpg":  nil,
	"server/internal/pgtest":   nil, // real clusters for tests
	"server/internal/backup":   nil,
	"server/internal/quantity": nil,
	"server/internal/config":   {"server/internal/quantity"},
	"server/internal/limiter":  nil,
	"server/internal/panics":   nil,

	// The edge: what comes in by HTTP, and the answers.
	"server/internal/text":      nil,
	"server/internal/timestamp": nil,
	"server/internal/category":  {"server/api"},

	"server/internal/plainjpeg": nil,

	"server/internal/problem": {"server/api", "server/internal/text"},
	"server/internal/request": {"server/api", "server/internal/problem", "server/internal/text"},
	"server/internal/auth": {
		"server/api", "server/internal/problem", "server/internal/secret", "server/internal/store/audit", "server/internal/store/db",
		"server/internal/store/directory", "server/internal/store/users",
	},
	"server/internal/permission": {"server/internal/auth", "server/internal/store/directory"},
	"server/internal/session": {
		"server/internal/limiter", "server/internal/password", "server/internal/secret", "server/internal/store/users", "server/internal/text",
		"server/internal/totp",
	},
	"server/internal/sso": {
		"server/internal/password", "server/internal/secret", "server/internal/store/directory", "server/internal/store/users", "server/internal/text",
	},
	"server/internal/ssoapi": {
		"server/api", "server/internal/auth", "server/internal/problem", "server/internal/secret", "server/internal/session", "server/internal/sso",
		"server/internal/store/directory", "server/internal/store/self", "server/internal/store/users", "server/internal/text",
	},
	"server/internal/adminapi": {
		"server/api", "server/internal/auth", "server/internal/ingest", "server/internal/problem", "server/internal/request", "server/internal/secret",
		"server/internal/store/db", "server/internal/store/dictionary", "server/internal/store/directory", "server/internal/text",
	},
	"server/internal/userapi": {
		"server/api", "server/internal/auth", "server/internal/httpserver", "server/internal/password", "server/internal/problem",
		"server/internal/report", "server/internal/request", "server/internal/secret", "server/internal/session", "server/internal/store/db", "server/internal/store/directory",
		"server/internal/store/users", "server/internal/text",
	},
	"server/internal/selfapi": {
		"server/api", "server/api/policy", "server/internal/auth", "server/internal/problem", "server/internal/report", "server/internal/request", "server/internal/secret",
		"server/internal/store/directory", "server/internal/store/people", "server/internal/store/policies", "server/internal/store/self", "server/internal/store/users", "server/internal/text",
	},
	"server/internal/ui": {
		"server/api", "server/internal/auth", "server/internal/looked", "server/internal/noteapi", "server/internal/problem", "server/internal/report", "server/internal/report/byperson", "server/internal/selfapi",
		"server/internal/shots", "server/internal/store/access", "server/internal/store/directory", "server/internal/store/policies", "server/internal/userapi",
		"server/internal/live", "server/internal/ui/...",
	},
	"server/internal/ui/words": nil,
	"server/internal/ui/week":  {"server/api", "server/internal/ui/words"},
	"server/internal/ui/lane":  {"server/api", "server/internal/category"},
	"server/internal/ui/frame": {
		"server/api", "server/internal/auth", "server/internal/limiter", "server/internal/looked", "server/internal/permission", "server/internal/problem",
		"server/internal/report", "server/internal/store/access", "server/internal/store/directory", "server/internal/store/people", "server/internal/ui/words",
	},
	"server/internal/ui/login": {"server/api", "server/internal/auth", "server/internal/problem", "server/internal/ui/frame", "server/internal/userapi"},
	"server/internal/ui/now": {
		"server/api", "server/internal/live", "server/internal/looked", "server/internal/problem", "server/internal/report", "server/internal/store/access",
		"server/internal/store/directory", "server/internal/store/query", "server/internal/ui/frame",
	},
	"server/internal/ui/day": {
		"server/api", "server/internal/looked", "server/internal/problem", "server/internal/report", "server/internal/report/byperson", "server/internal/report/planned",
		"server/internal/store/access", "server/internal/store/policies", "server/internal/ui/frame", "server/internal/ui/lane",
	},
	"server/internal/ui/groups": {"server/api", "server/internal/problem", "server/internal/ui/frame"},
	"server/internal/ui/about":  {"server/internal/ui/frame"},
	"server/internal/ui/people": {"server/api", "server/internal/assign", "server/internal/problem", "server/internal/store/directory", "server/internal/ui/frame"},
	"server/internal/ui/hosts":  {"server/api", "server/internal/problem", "server/internal/ui/frame", "server/internal/ui/words"},
	"server/internal/ui/users":  {"server/api", "server/internal/problem", "server/internal/ui/frame"},
	"server/internal/ui/tokens": {"server/api", "server/internal/problem", "server/internal/ui/frame"},
	"server/internal/ui/categories": {
		"server/api", "server/internal/problem", "server/internal/store/directory", "server/internal/ui/frame",
	},
	"server/internal/ui/oversight": {
		"server/api", "server/internal/problem", "server/internal/store/directory", "server/internal/ui/frame",
	},
	"server/internal/ui/account": {
		"server/api", "server/internal/problem", "server/internal/ui/frame",
	},
	"server/internal/ui/policies": {
		"server/api", "server/api/policy", "server/internal/problem", "server/internal/store/directory", "server/internal/ui/frame", "server/internal/ui/words",
	},
	"server/internal/ui/hours": {
		"server/api", "server/internal/looked", "server/internal/problem", "server/internal/report", "server/internal/report/byperson", "server/internal/report/planned", "server/internal/store/directory", "server/internal/store/policies",
		"server/internal/store/query", "server/internal/ui/frame", "server/internal/ui/week",
	},
	"server/internal/ui/compare": {
		"server/api", "server/internal/looked", "server/internal/report", "server/internal/report/byperson", "server/internal/store/access", "server/internal/ui/frame", "server/internal/ui/week",
	},
	"server/internal/ui/rhythm": {"server/api", "server/internal/looked", "server/internal/report", "server/internal/report/byperson", "server/internal/ui/frame", "server/internal/ui/week"},
	"server/internal/ui/apps": {
		"server/api", "server/internal/category", "server/internal/looked", "server/internal/report", "server/internal/store/access", "server/internal/store/directory", "server/internal/ui/frame",
		"server/internal/ui/lane",
	},
	"server/internal/ui/person": {
		"server/api", "server/api/policy", "server/internal/auth", "server/internal/category", "server/internal/looked", "server/internal/noteapi", "server/internal/panics", "server/internal/problem",
		"server/internal/report", "server/internal/report/byperson", "server/internal/selfapi", "server/internal/shots",
		"server/internal/store/access", "server/internal/store/directory", "server/internal/store/people", "server/internal/store/query", "server/internal/ui/frame", "server/internal/ui/week", "server/internal/ui/lane",
	},
	"server/internal/preview": {
		"server/api", "server/api/policy", "server/internal/category", "server/internal/store/access", "server/internal/store/directory", "server/internal/store/query",
	},
	"server/internal/policyapi": {
		"server/api", "server/api/policy", "server/internal/auth", "server/internal/looked", "server/internal/preview", "server/internal/problem", "server/internal/request",
		"server/internal/store/access", "server/internal/store/directory", "server/internal/store/heartbeat", "server/internal/store/policies", "server/internal/text",
	},
	"server/internal/shots": {
		"server/api", "server/api/policy", "server/internal/auth", "server/internal/limiter", "server/internal/looked", "server/internal/plainjpeg", "server/internal/problem", "server/internal/report",
		"server/internal/request", "server/internal/store/access", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/people",
		"server/internal/store/policies", "server/internal/store/screenshots", "server/internal/text",
	},
	"server/internal/noteapi": {
		"server/api", "server/internal/auth", "server/internal/looked", "server/internal/problem", "server/internal/report", "server/internal/request", "server/internal/store/access",
		"server/internal/store/db", "server/internal/store/directory", "server/internal/store/notes", "server/internal/store/people", "server/internal/text", "server/internal/timestamp",
	},
	"server/internal/ingest": {
		"server/api", "server/internal/auth", "server/internal/limiter", "server/internal/problem", "server/internal/secret",
		"server/internal/store/directory", "server/internal/store/events", "server/internal/store/heartbeat", "server/internal/store/policies", "server/internal/store/uncollected", "server/internal/text", "server/internal/timestamp",
	},
	"server/internal/report": {
		"server/api", "server/internal/category", "server/internal/store/access", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/people", "server/internal/store/query", "server/internal/text", "server/internal/timestamp",
	},
	"server/internal/report/byperson": {
		"server/api", "server/internal/panics", "server/internal/report", "server/internal/store/access", "server/internal/store/directory", "server/internal/store/minutes",
		"server/internal/store/people", "server/internal/store/query",
	},
	"server/internal/report/planned": {"server/api/policy", "server/internal/store/policies"},
	"server/internal/report/closing": {"server/api", "server/internal/report", "server/internal/store/directory", "server/internal/store/months"},
	"server/internal/looked": {
		"server/api", "server/internal/auth", "server/internal/problem", "server/internal/report", "server/internal/store/access",
		"server/internal/store/audit", "server/internal/store/directory", "server/internal/store/people",
	},
	"server/internal/export": {
		"server/api", "server/internal/looked", "server/internal/report", "server/internal/store/audit", "server/internal/store/directory", "server/internal/store/dossier",
		"server/internal/store/notes", "server/internal/store/people", "server/internal/store/query", "server/internal/store/walk", "server/internal/store/screenshots", "server/internal/tabular",
	},
	"server/internal/assign": {"server/api", "server/internal/report", "server/internal/store/people", "server/internal/text"},
	"server/internal/personapi": {
		"server/api", "server/internal/assign", "server/internal/auth", "server/internal/export", "server/internal/looked", "server/internal/problem", "server/internal/report",
		"server/internal/request", "server/internal/store/access", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/erasure", "server/internal/store/people", "server/internal/tabular",
	},
	"server/internal/live":       {"server/api", "server/api/policy", "server/internal/store/policies", "server/internal/report", "server/internal/store/directory", "server/internal/store/query"},
	"server/internal/httpserver": {"server/api", "server/internal/problem"},
	"server/internal/tabular":    {"server/internal/httpserver"},
	"server/internal/repository": {"server/api", "server/internal/limiter", "server/internal/problem"},
	"server/internal/httpapi": {
		"server/api", "server/internal/adminapi", "server/internal/auth", "server/internal/export", "server/internal/permission", "server/internal/personapi", "server/internal/httpapi/negotiate", "server/internal/httpapi/openapi",
		"server/internal/httpserver", "server/internal/limiter",
		"server/internal/live", "server/internal/looked", "server/internal/noteapi", "server/internal/policyapi", "server/internal/problem", "server/internal/report", "server/internal/report/...", "server/internal/repository",
		"server/internal/request", "server/internal/shots", "server/internal/store/access", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/months", "server/internal/store/people", "server/internal/tabular", "server/internal/text", "server/internal/userapi", "server/internal/selfapi", "server/internal/preview", "server/internal/ssoapi",
	},
	"server/internal/httpapi/negotiate": {"server/api", "server/internal/problem", "server/internal/tabular"},
	"server/internal/httpapi/openapi":   {"server/internal/problem"},
	// One room after the other, each may import those before it.
	"server/internal/store/column":      nil,
	"server/internal/store/codec":       {"server/api", "server/internal/store/column", "server/internal/store/minutes"},
	"server/internal/store/db":          nil,
	"server/internal/store/access":      {"server/internal/store/db"},
	"server/internal/store/audit":       {"server/internal/store/db"},
	"server/internal/store/partition":   {"server/internal/store/db"},
	"server/internal/store/dictionary":  {"server/api", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/partition"},
	"server/internal/store/directory":   {"server/api", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/text"},
	"server/internal/store/users":       {"server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory"},
	"server/internal/store/people":      {"server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory"},
	"server/internal/store/self":        {"server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/people", "server/internal/store/users"},
	"server/internal/store/policies":    {"server/api", "server/api/policy", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/db"},
	"server/internal/store/minutes":     nil,
	"server/internal/store/uncollected": {"server/api", "server/internal/store/db"},
	"server/internal/store/heartbeat":   {"server/internal/store/db"},
	"server/internal/store/screenshots": {
		"server/api", "server/api/policy", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/people",
	},
	"server/internal/store/notes": {
		"server/api", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory", "server/internal/store/partition",
		"server/internal/store/people",
	},
	"server/internal/store/events": {
		"server/api", "server/internal/store/codec", "server/internal/store/db", "server/internal/store/dictionary", "server/internal/store/minutes",
		"server/internal/store/partition",
	},
	"server/internal/store/walk": {"server/api", "server/internal/store/codec", "server/internal/store/db"},
	"server/internal/store/query": {
		"server/api", "server/internal/panics", "server/internal/store/codec", "server/internal/store/db", "server/internal/store/dictionary",
		"server/internal/store/directory", "server/internal/store/events", "server/internal/store/minutes", "server/internal/store/partition",
		"server/internal/store/people", "server/internal/store/uncollected", "server/internal/store/walk",
	},
	"server/internal/store/months": {
		"server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory",
		"server/internal/store/people", "server/internal/store/query",
	},
	"server/internal/store/dossier": {
		"server/api", "server/internal/store/codec", "server/internal/store/db", "server/internal/store/minutes", "server/internal/store/query", "server/internal/store/walk",
	},
	"server/internal/store/erasure": {
		"server/api", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/codec", "server/internal/store/db", "server/internal/store/dictionary",
		"server/internal/store/directory", "server/internal/store/events", "server/internal/store/months", "server/internal/store/people", "server/internal/store/policies", "server/internal/store/walk",
		"server/internal/store/screenshots",
	},
	"server/internal/store/upkeep": {
		"server/internal/store/access",
		"server/api", "server/api/policy", "server/internal/store/codec", "server/internal/store/db", "server/internal/store/events",
		"server/internal/store/notes", "server/internal/store/partition", "server/internal/store/policies", "server/internal/store/query", "server/internal/store/screenshots", "server/internal/store/uncollected", "server/internal/store/walk",
	},
	"server/internal/store/inspect":   {"server/internal/store/db", "server/internal/store/erasure", "server/internal/store/partition", "server/internal/store/upkeep"},
	"server/internal/store/rooms":     {"server/internal/store/..."},
	"server/internal/store/storetest": {"server/api", "server/internal/pgtest", "server/internal/store/..."},             // rooms for tests
	"server/internal/store/testdb":    {"server/internal/localpg", "server/internal/secret", "server/internal/store/db"}, // databases for tests

	"server/internal/doctor": {
		"server/api", "server/internal/config", "server/internal/httpserver", "server/internal/quantity", "server/internal/repository",
		"server/internal/store/db", "server/internal/store/erasure", "server/internal/store/inspect", "server/internal/store/screenshots", "server/internal/store/upkeep", "server/internal/text",
	},
	"server/internal/app": {
		"server/internal/report/closing",
		"server/api", "server/internal/adminapi", "server/internal/auth", "server/internal/backup", "server/internal/config", "server/internal/doctor", "server/internal/export", "server/internal/personapi", "server/internal/httpapi", "server/internal/httpserver",
		"server/internal/ingest", "server/internal/live", "server/internal/localpg", "server/internal/looked", "server/internal/noteapi", "server/internal/password", "server/internal/policyapi", "server/internal/report", "server/internal/report/byperson", "server/internal/repository",
		"server/internal/secret", "server/internal/selfapi", "server/internal/session", "server/internal/shots", "server/internal/store/...", "server/internal/ui", "server/internal/ui/...", "server/internal/userapi", "server/internal/preview", "server/internal/sso", "server/internal/ssoapi",
	},
	"server/internal/cli/console": {"server/api", "server/internal/config", "server/internal/text"},
	"server/internal/cli/person": {
		"server/api", "server/internal/assign", "server/internal/cli/console", "server/internal/export", "server/internal/looked", "server/internal/report", "server/internal/store/access", "server/internal/store/audit", "server/internal/store/db", "server/internal/store/directory",
		"server/internal/store/notes", "server/internal/store/people", "server/internal/store/rooms", "server/internal/text",
	},
	"server/internal/cli/month": {
		"server/api", "server/internal/cli/console", "server/internal/looked", "server/internal/report", "server/internal/report/closing", "server/internal/store/directory", "server/internal/store/months",
		"server/internal/store/rooms", "server/internal/text",
	},
	"server/internal/cli/policy": {
		"server/api", "server/api/policy", "server/internal/cli/console", "server/internal/looked", "server/internal/preview", "server/internal/store/policies", "server/internal/store/rooms", "server/internal/text",
	},
	"server/internal/cli/user": {
		"server/internal/cli/console", "server/internal/cli/person", "server/internal/password", "server/internal/quantity", "server/internal/report", "server/internal/secret",
		"server/internal/store/directory", "server/internal/store/rooms", "server/internal/store/users", "server/internal/text",
	},
	"server/internal/cli/overseeing": {
		"server/api", "server/internal/cli/console", "server/internal/looked", "server/internal/store/audit", "server/internal/store/rooms", "server/internal/text",
	},
	"server/internal/cli": {
		"server/api", "server/internal/app", "server/internal/backup", "server/internal/cli/console", "server/internal/cli/month", "server/internal/cli/overseeing", "server/internal/cli/person", "server/internal/cli/policy", "server/internal/cli/user", "server/internal/config", "server/internal/doctor", "server/internal/httpserver",
		"server/internal/ingest", "server/internal/localpg", "server/internal/password", "server/internal/quantity", "server/internal/secret",
		"server/internal/store/audit", "server/internal/store/db", "server/internal/store/dictionary", "server/internal/store/directory", "server/internal/store/inspect",
		"server/internal/store/rooms", "server/internal/store/upkeep", "server/internal/store/users", "server/internal/text",
	},
	"server/internal/servertest":         {"server/api", "server/internal/..."}, // whole servers for tests
	"server/internal/servertest/browser": {"server/internal/servertest"},
	"server/ssotest":                     nil,            // single sign-on against a real provider
	"server/pagetest":                    nil,            // the pages in a real browser
	"server/sample":                      {"server/api"}, // made-up people for tests and the demonstration
	"server/bench":                       {"server/api", "server/internal/localpg"},
	"server/cmd/trackerd-server":         {"server/internal/cli"},
}

// onlyIn names libraries that one place alone may import, and why.
var onlyIn = []struct {
	library string
	places  []string
	why     string
}{
	{"github.com/jezek/xgb", []string{"sessiond/internal/x11", "sessiond/internal/xtest", "sessiond/bench", "deploy"}, "X is spoken in one place"},
	{"github.com/holoplot/go-evdev", []string{"sessiond/internal/seat", "sessiond/bench", "deploy"}, "input devices are read in one place"},
	{"github.com/godbus/dbus", []string{"hostd/logind", "hostd/unit", "sessiond/internal/sessionbus", "sessiond/internal/focus", "deploy"}, "logind is asked in one place, units are started in one, desktops in one"},
	{"github.com/coreos/go-systemd", []string{"hostd/logind", "hostd/unit", "hostd/notify", "server/internal/app"}, "systemd is spoken to in one place for each purpose"},
	{"github.com/jackc/pgx", []string{"server/internal/store", "server/internal/servertest"}, "all SQL is in one place"},
	{"github.com/coreos/go-oidc", []string{"server/internal/sso"}, "one package asks the provider"},
	{"golang.org/x/oauth2", []string{"server/internal/sso"}, "one package asks the provider"},
	{"github.com/zitadel/oidc", []string{"server/ssotest"}, "a provider is for tests"},
	{"github.com/chromedp", []string{"server/pagetest", "deploy/testhost"}, "a browser is for tests"},
	{"go.etcd.io/bbolt", []string{"hostd/buffer"}, "one package knows how records lie on disk"},
	{"github.com/shirou/gopsutil", []string{"hostd/hoststat"}, "figures of the host come from one place"},
}

// standardOnly are the contracts between programs: they must cost nobody a
// dependency.
var standardOnly = []string{"sessiond/wire", "server/api", "server/api/policy"}

// shapeless are package names that do not show what is inside.
var shapeless = []string{"util", "utils", "common", "helpers", "misc", "shared", "lib", "base", "tools"}

// violations are the ways in which the packages, all below prefix, break the
// rules above; each names the package and what to do.
func violations(prefix string, packages []listed) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		name := below(prefix, p.ImportPath)
		if strings.TrimSpace(p.Doc) == "" {
			say("%s: no package comment; say what it is for", name)
		}
		if slices.Contains(shapeless, path.Base(name)) {
			say("%s: the name says nothing; name it after what it does", name)
		}
		found = append(found, siblings(prefix, name, p)...)
		found = append(found, directions(prefix, name, p.Imports)...)
		found = append(found, libraries(name, p.Imports)...)
	}
	return found
}

// siblings checks what holds for tests too: the helper and the server know
// neither each other nor the daemon.
func siblings(prefix, name string, p listed) []string {
	module, _, _ := strings.Cut(name, "/")
	if module != "sessiond" && module != "server" {
		return nil
	}
	var found []string
	for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if ours := below(prefix, imported); ours != imported && !within(ours, module) {
			found = append(found, fmt.Sprintf("%s imports %s: %s imports no sibling", name, ours, module))
		}
	}
	return found
}

// directions checks imports against mayImport.
func directions(prefix, name string, imports []string) []string {
	module, _, _ := strings.Cut(name, "/")
	if module != "hostd" && module != "sessiond" && module != "server" {
		return nil // deploy only uses the programs
	}
	if within(name, "sessiond/bench") {
		return nil // measures the helper from outside
	}
	allowed, known := mayImport[name]
	if !known {
		return []string{name + ": not in mayImport; add what it may import of ours"}
	}
	var found []string
	for _, imported := range imports {
		ours := below(prefix, imported)
		if ours == imported || slices.ContainsFunc(allowed, func(a string) bool { return matches(ours, a) }) {
			continue
		}
		found = append(found, fmt.Sprintf("%s imports %s: against the direction of DESIGN.md", name, ours))
	}
	return found
}

// libraries checks imports of others' packages.
func libraries(name string, imports []string) []string {
	var found []string
	for _, imported := range imports {
		first, _, _ := strings.Cut(imported, "/")
		if slices.Contains(standardOnly, name) && strings.Contains(first, ".") {
			found = append(found, fmt.Sprintf("%s imports %s: only the standard library here", name, imported))
		}
		for _, rule := range onlyIn {
			allowed := slices.ContainsFunc(rule.places, func(place string) bool { return within(name, place) })
			if within(imported, rule.library) && !allowed {
				found = append(found, fmt.Sprintf("%s imports %s: only %s may (%s)",
					name, imported, strings.Join(rule.places, " and "), rule.why))
			}
		}
	}
	return found
}

// below returns an import path without the prefix, or unchanged if it is not
// below it. Modules of deploy/ are called after their folder there.
func below(prefix, importPath string) string {
	name, ours := strings.CutPrefix(importPath, prefix+"/")
	if !ours {
		return importPath
	}
	for _, module := range []string{"containers", "house", "testhost", "demo"} {
		if within(name, module) {
			return "deploy/" + name
		}
	}
	return name
}

func within(name, place string) bool { return name == place || strings.HasPrefix(name, place+"/") }

func matches(name, pattern string) bool {
	if place, all := strings.CutSuffix(pattern, "/..."); all {
		return within(name, place)
	}
	return name == pattern
}
