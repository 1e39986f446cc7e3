package testhost

import (
	"bufio"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"activity-tracker.example/testhost/internal/netns"
	"activity-tracker.example/testhost/internal/screen"
	"activity-tracker.example/testhost/internal/wait"
)

//go:embed client.sh
var clientScript string

// startClient starts the screen and the client in the clients' namespace.
func (r *RDP) startClient(ctx context.Context) (*screen.Screen, error) {
	log, err := os.Create(r.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := r.startScreen(ctx, log); err != nil {
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	s, err := r.openScreen(ctx)
	if err != nil {
		return nil, err
	}
	// Where the session's pointer is, so that the first motion is no jump.
	if err := s.Jump(r.info.X, r.info.Y); err != nil {
		return s, err
	}
	if r.locks {
		if _, err := s.Type(ctx, string([]rune{CapsLock, NumLock})); err != nil {
			return s, err
		}
	}
	return s, r.startFreeRDP(log)
}

// openScreen connects to the X server on which the client draws; it listens on
// TCP in the clients' namespace.
func (r *RDP) openScreen(ctx context.Context) (*screen.Screen, error) {
	var conn net.Conn
	err := netns.In(r.host.client, func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 6000+r.info.Display))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the client's screen: %w", err)
	}
	return screen.Open(conn)
}

// startScreen starts the X server on which the client draws.
func (r *RDP) startScreen(ctx context.Context, log *os.File) error {
	number, numberEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer number.Close()
	defer numberEnd.Close()
	xvfb := exec.Command("nsenter", "--net=/proc/self/fd/4", "Xvfb", "-displayfd", "3",
		"-screen", "0", fmt.Sprintf("%dx%dx24", r.info.Width, r.info.Height),
		// TCP within the namespace: it leaves no socket files, and two hosts'
		// screens cannot take each other's.
		"-listen", "tcp", "-nolisten", "unix", "-nolisten", "local", "-ac", "-noreset")
	xvfb.ExtraFiles = []*os.File{numberEnd, r.host.client}
	xvfb.Stdout, xvfb.Stderr = log, log
	if err := r.host.startIn("client", xvfb); err != nil {
		return err
	}
	r.info.Screen = xvfb.Process.Pid
	numberEnd.Close()
	return readNumber(ctx, number, &r.info.Display)
}

// startFreeRDP starts the client itself.
func (r *RDP) startFreeRDP(log *os.File) error {
	program, err := freeRDP()
	if err != nil {
		return err
	}
	client := exec.Command("nsenter", "--net=/proc/self/fd/3",
		"unshare", "--mount", "--propagation=private", "sh", "-c", clientScript, "testhost-client",
		program, HostAddr, r.info.User, fmt.Sprintf("%dx%d", r.info.Width, r.info.Height), r.info.Server)
	client.ExtraFiles = []*os.File{r.host.client}
	client.Env = []string{
		"PATH=" + hostPath, "LANG=C.UTF-8",
		"HOME=" + r.host.dir(),
		fmt.Sprintf("DISPLAY=127.0.0.1:%d", r.info.Display),
	}
	// The password stays off the command line, where the machine's other users
	// would see it.
	client.Stdin = strings.NewReader(r.info.Password + "\n")
	client.Stdout, client.Stderr = log, log
	if err := r.host.startIn("client", client); err != nil {
		return fmt.Errorf("start xfreerdp: %w", err)
	}
	r.info.Client = client.Process.Pid
	return nil
}

// readNumber reads the display number that Xvfb writes once it listens.
func readNumber(ctx context.Context, f *os.File, n *int) error {
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	// Xvfb writes the line in two parts and dies when the second finds no reader.
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	*n, err = strconv.Atoi(strings.TrimSpace(line))
	return err
}

// stopClient ends the client and its screen and waits until they are gone.
func (r *RDP) stopClient(ctx context.Context) error {
	r.mu.Lock()
	s := r.screen
	r.screen = nil
	r.mu.Unlock()
	if s != nil {
		r.info.X, r.info.Y = s.Pointer()
		s.Close()
	}
	// The client first, so that it takes its leave of the host.
	for _, pid := range []int{r.info.Client, r.info.Screen} {
		if pid == 0 || !r.inCgroup(pid) {
			continue
		}
		if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end process %d: %w", pid, err)
		}
		err := wait.Until(ctx, func() (bool, error) { return !r.inCgroup(pid), nil })
		if err != nil {
			return fmt.Errorf("wait for process %d to end: %w", pid, err)
		}
	}
	r.info.Client, r.info.Screen = 0, 0
	return nil
}

// inCgroup reports whether pid still is a process of this host's clients, and not
// one that got the number since.
func (r *RDP) inCgroup(pid int) bool {
	procs, err := os.ReadFile(filepath.Join(r.host.info.Cgroup, "client/cgroup.procs"))
	return err == nil && strings.Contains("\n"+string(procs), fmt.Sprintf("\n%d\n", pid))
}

func (r *RDP) clientAlive() bool { return r.inCgroup(r.info.Client) }

func (r *RDP) clientLog() string {
	log, err := os.ReadFile(r.path("log"))
	if err != nil {
		return err.Error()
	}
	return tail(string(log), 2000)
}
