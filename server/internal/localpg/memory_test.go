package localpg

import (
	"testing"
	"testing/fstest"
)

func TestMemory(t *testing.T) {
	const meminfo, gib = "MemTotal:       4194304 kB\nMemFree:          100000 kB\n", 1 << 30
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"a machine", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/user.slice\n"}, 4 * gib},
		{"no control groups", map[string]string{"proc/meminfo": meminfo}, 4 * gib},
		{"no limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "12:memory:/x\n0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/memory.max": "no number\n",
		}, 4 * gib},
		{"a service", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/x.service\n",
			"sys/fs/cgroup/system.slice/x.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "1073741824\n",
		}, gib},
		{"a container", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, gib / 2},
		{"a limit above the machine", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "9999999999999\n",
		}, 4 * gib},
		{"nothing told", map[string]string{"proc/meminfo": "MemFree: 1 kB\n"}, 0},
		{"nothing there", nil, 0},
	} {
		root := fstest.MapFS{}
		for name, text := range test.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, err := memory(root); got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%s: %d (%v), want %d", test.name, got, err, test.want)
		}
	}
	if here, err := Memory(); err != nil || here < 64<<20 {
		t.Errorf("%d (%v)", here, err)
	}
}
