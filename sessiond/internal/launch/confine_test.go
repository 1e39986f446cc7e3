package launch

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// run is what the kernel does with a filter, as far as ours goes.
func run(t *testing.T, filter []unix.SockFilter, number, arch uint32) uint32 {
	t.Helper()
	var a uint32
	for i := 0; i < len(filter); i++ {
		in := filter[i]
		jump := func(is bool) {
			if is {
				i += int(in.Jt)
			} else {
				i += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = map[uint32]uint32{0: number, 4: arch}[in.K]
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= in.K)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d is %+v", i, in)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

func TestRefusal(t *testing.T) {
	native := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	filter, err := refusal(refusedCalls())
	if err != nil {
		t.Fatal(err)
	}
	const refused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for _, call := range refusedCalls() {
		if got := run(t, filter, call, native); got != refused {
			t.Errorf("call %d: %#x", call, got)
		}
	}
	for _, call := range []uint32{unix.SYS_READ, unix.SYS_SENDTO, unix.SYS_RECVMSG, unix.SYS_TGKILL, unix.SYS_CLONE, unix.SYS_EXIT_GROUP} {
		if got := run(t, filter, call, native); got != unix.SECCOMP_RET_ALLOW {
			t.Errorf("call %d, which is needed: %#x", call, got)
		}
		if got := run(t, filter, call, native+1); got != refused {
			t.Errorf("call %d of another processor: %#x", call, got)
		}
		if got := run(t, filter, call|0x40000000, native); got != refused {
			t.Errorf("call %d of x32: %#x", call, got)
		}
	}
}

// Each version of Landlock is asked for what it knows, and for nothing else: the
// kernel would refuse all of it.
func TestRuleset(t *testing.T) {
	for version, want := range map[int]unix.LandlockRulesetAttr{
		1: {Handled_access_fs: 0x1fff},
		2: {Handled_access_fs: 0x3fff},
		3: {Handled_access_fs: 0x7fff},
		4: {Handled_access_fs: 0x7fff, Handled_access_net: 3},
		5: {Handled_access_fs: 0xffff, Handled_access_net: 3},
		6: {Handled_access_fs: 0xffff, Handled_access_net: 3, Scoped: 1},
		7: {Handled_access_fs: 0xffff, Handled_access_net: 3, Scoped: 3},
		9: {Handled_access_fs: 0xffff, Handled_access_net: 3, Scoped: 3},
	} {
		if got := ruleset(version, true); got != want {
			t.Errorf("version %d: %+v", version, got)
		}
		want.Scoped = 0
		if got := ruleset(version, false); got != want {
			t.Errorf("version %d, open: %+v", version, got)
		}
	}
}
