package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	got, err := Load(Paths{Config: filepath.Join(t.TempDir(), "none.yaml")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		CollectInterval: time.Minute, SendInterval: 5 * time.Minute, IdleAfter: 3 * time.Minute,
		BufferPath: "/var/lib/trackerd/buffer.db",
		Sessions:   Sessions{RDP: true, Local: true},
		Features:   Features{TrackSystemStats: true, WindowTitles: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestContract reads the contract's own example.
func TestContract(t *testing.T) {
	path := write(t, "config.yaml", `server_url: "https://tracker-api.example.org"
machine_id: "vm-abc123-{user}"   # made by itself where it is not given
collect_interval_sec: 30         # one record each half minute
send_interval_sec: 600
idle_after_sec: 120
buffer_path: "/var/lib/trackerd/other.db"
proxy_url: "http://ann:secret@proxy.example:3128"
ca_file: "/etc/trackerd/ca.pem"
sessions: [rdp, virtual]
virtual_user: "anna"
real_input_devices:
  - "keyd virtual keyboard"
features:
  screenshots: false
  track_system_stats: false
  window_titles: false
`)
	got, err := Load(Paths{Config: path, ConfigRequired: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		ServerURL: "https://tracker-api.example.org", ServerURLSource: path + ":1", MachineID: "vm-abc123-{user}",
		CollectInterval: 30 * time.Second, SendInterval: 10 * time.Minute, IdleAfter: 2 * time.Minute,
		BufferPath: "/var/lib/trackerd/other.db", ProxyURL: "http://ann:secret@proxy.example:3128", CAFile: "/etc/trackerd/ca.pem",
		Sessions: Sessions{RDP: true, Virtual: true}, VirtualUser: "anna", RealInputDevices: []string{"keyd virtual keyboard"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEnvironmentWins(t *testing.T) {
	path := write(t, "config.yaml", "server_url: https://file.example\nsend_interval_sec: 10\n")
	got, err := Load(Paths{Config: path}, []string{
		"PATH=/bin", "TRACKERD_SERVER_URL=https://ENV.example:443/", "TRACKERD_MACHINE_ID=",
		"TRACKERD_SERVER_LISTEN=:8100", "TRACKERD_SEND_INTERVAL_SEC=20", "TRACKERD_IDLE_AFTER_SEC=30",
		"TRACKERD_COLLECT_INTERVAL_SEC=5", "TRACKERD_BUFFER_PATH=/b", "TRACKERD_ALLOW_HTTP=true",
		"TRACKERD_FEATURES_SCREENSHOTS=false", "TRACKERD_FEATURES_TRACK_SYSTEM_STATS=false",
		"TRACKERD_FEATURES_WINDOW_TITLES=false", "TRACKERD_SESSIONS=local, virtual", "TRACKERD_VIRTUAL_USER=anna",
		"TRACKERD_REAL_INPUT_DEVICES=keyd virtual keyboard,input-remapper",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		ServerURL: "https://env.example", ServerURLSource: "environment", CollectInterval: 5 * time.Second,
		SendInterval: 20 * time.Second, IdleAfter: 30 * time.Second, BufferPath: "/b", AllowHTTP: true,
		Sessions: Sessions{Local: true, Virtual: true}, VirtualUser: "anna",
		RealInputDevices: []string{"keyd virtual keyboard", "input-remapper"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEnrollmentFillsIn(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	enrolled := write(t, "enrollment.yaml", "server_url: http://tracker.example:8100\nhost_id: \""+id+"\"\nallow_http: true\n")
	got, err := Load(Paths{Config: write(t, "config.yaml", "# nothing\n"), Enrollment: enrolled}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Enrollment{ServerURL: "http://tracker.example:8100", HostID: id, AllowHTTP: true}); got.Enrollment != want {
		t.Errorf("enrollment: got %+v, want %+v", got.Enrollment, want)
	}
	if got.ServerURL != "http://tracker.example:8100" || !got.AllowHTTP || got.ServerURLSource != "" {
		t.Errorf("server: got %+v", got)
	}
	got, err = Load(Paths{Config: write(t, "config.yaml", "server_url: https://other.example\n"), Enrollment: enrolled}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ServerURL != "https://other.example" || got.Enrollment.ServerURL == got.ServerURL {
		t.Errorf("the administrator's server_url does not stay: %+v", got)
	}
}

// TestBad loads each file of testdata/bad and compares the complaint
// with the golden file of all of them.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	var got strings.Builder
	for _, f := range files {
		got.WriteString(complaint(t, Paths{Config: f}, nil))
	}
	for _, env := range []string{
		"TRACKERD_COLLECT_INTERVAL_SEC=7", "TRACKERD_COLLECT_INTERVAL=60", "TRACKERD_ALLOW_HTTP=1",
		"TRACKERD_FEATURES_SCREENSHOTS=1", "TRACKERD_SCREENSHOTS={kind: sharp}", "TRACKERD_SERVER_URL=http://tracker.example", "TRACKERD_BUFFER_PATH=b.db",
		"TRACKERD_SESSIONS=rdp,tty", "TRACKERD_SESSIONS=,", "TRACKERD_SESSIONS=virtual", "TRACKERD_VIRTUAL_USER=anna",
	} {
		got.WriteString(complaint(t, Paths{}, []string{env}))
	}
	got.WriteString(complaint(t, Paths{Config: "testdata/none.yaml", ConfigRequired: true}, nil))
	got.WriteString(complaint(t, Paths{Config: "testdata"}, nil))
	const golden = "testdata/bad.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("complaints changed; got:\n%s\nwant:\n%s", got.String(), want)
	}
}

func complaint(t *testing.T, p Paths, env []string) string {
	t.Helper()
	_, err := Load(p, env)
	var ce *Error
	if !errors.As(err, &ce) {
		t.Errorf("%v %v: error %v is no *Error", p, env, err)
		return ""
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("%v %v: more than one line: %q", p, env, err)
	}
	return err.Error() + "\n"
}

func TestTooLarge(t *testing.T) {
	path := write(t, "config.yaml", strings.Repeat("# much\n", maxFileBytes/7+1))
	if _, err := Load(Paths{Config: path}, nil); err == nil || !strings.Contains(err.Error(), "is larger than 64 KiB") {
		t.Errorf("got %v", err)
	}
}

func TestParseServerURL(t *testing.T) {
	for _, c := range []struct {
		raw   string
		allow bool
		want  string // "" = refused
	}{
		{"https://Tracker.Example/", false, "https://tracker.example"},
		{"HTTPS://tracker.example:443/a/b/", false, "https://tracker.example/a/b"},
		{"https://[2001:DB8::1]:8443", false, "https://[2001:db8::1]:8443"},
		{"https://[2001:db8::1]", false, "https://[2001:db8::1]"},
		{"http://localhost:8100", false, "http://localhost:8100"},
		{"http://127.0.0.1:80/", false, "http://127.0.0.1"},
		{"http://[::1]:8100", false, "http://[::1]:8100"},
		{"http://tracker.example", true, "http://tracker.example"},
		{"http://tracker.example", false, ""},
		{"http://127.0.0.1.example", false, ""},
		{"http://localhost.example", false, ""},
		{"tracker.example", false, ""},
		{"tracker.example:8100", false, ""},
		{"ftp://tracker.example", true, ""},
		{"https://user:secret@tracker.example", false, ""},
		{"https://tracker.example?a=b", false, ""},
		{"https://tracker.example#a", false, ""},
		{"https://", false, ""},
		{"https://a b", false, ""},
		{"https://" + strings.Repeat("a", maxURLBytes), false, ""},
	} {
		got, err := ParseServerURL(c.raw, c.allow)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q allow=%v: got %q, %v; want %q", c.raw, c.allow, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the complaint shows the password: %v", c.raw, err)
		}
		if again, err := ParseServerURL(got, c.allow); again != got || err != nil {
			t.Errorf("%q: not stable: %q, %v", c.raw, again, err)
		}
	}
}

// FuzzParse: whatever a file holds, there is a valid configuration or one line.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte("server_url: https://a.example\nfeatures: {screenshots: false}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "config.yaml", string(data))
		c, err := Load(Paths{Config: path}, nil)
		if err != nil {
			var ce *Error
			if !errors.As(err, &ce) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: %T %v", data, err, err)
			}
			return
		}
		if c.CollectInterval < 5*time.Second || time.Hour%c.CollectInterval != 0 || c.SendInterval < time.Second ||
			c.IdleAfter < time.Second || !filepath.IsAbs(c.BufferPath) || len(c.MachineID) > maxTemplateBytes ||
			c.Sessions == (Sessions{}) || c.Sessions.Virtual != (c.VirtualUser != "") {
			t.Fatalf("%q: accepted %+v", data, c)
		}
	})
}

// TestOthersMayNotChangeIt: who can write it decides what a root daemon does.
func TestOthersMayNotChangeIt(t *testing.T) {
	for want, spoil := range map[string]func(path string) error{
		"can be changed by every user": func(path string) error { return os.Chmod(path, 0o666) },
		"belongs to another user":      func(path string) error { return os.Chown(path, 65534, -1) },
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte("send_interval_sec: 60\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Paths{Config: path}, nil); err != nil {
			t.Fatalf("before: %v", err)
		}
		if err := spoil(path); err != nil {
			t.Fatalf("this takes root: %v", err)
		}
		if _, err := Load(Paths{Config: path}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestExposedPassword: a file with a proxy's password that others can read is named.
func TestExposedPassword(t *testing.T) {
	for _, c := range []struct {
		proxy string
		mode  os.FileMode
		want  bool
	}{
		{"http://ann:secret@proxy.example:3128", 0o644, true},
		{"http://ann:secret@proxy.example:3128", 0o640, true},
		{"http://ann:secret@proxy.example:3128", 0o600, false},
		{"http://proxy.example:3128", 0o644, false},
	} {
		path := write(t, "config.yaml", "proxy_url: "+c.proxy+"\n")
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := Load(Paths{Config: path}, nil)
		if err != nil || (got.Exposed == path) != c.want {
			t.Errorf("%s, %v: exposed is %q, %v", c.proxy, c.mode, got.Exposed, err)
		}
	}
}
