package testmachine

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"activity-tracker.example/testhost/internal/wait"
)

//go:embed guard.sh
var guardScript string

const (
	// processors and memoryMB are enough for one desktop. With a second
	// processor the computer's other work slows both down.
	processors = 1
	memoryMB   = 1024
	// codeCacheMB is for translated code; the default is a fourth of the memory.
	codeCacheMB = 256
	// socketTimeout is for QEMU's start; 0.2 s is usual.
	socketTimeout = time.Minute
	// closeTimeout is for the guard to end QEMU and remove a folder.
	closeTimeout = 30 * time.Second
)

// kernelOptions: no pause for a person to read, nothing that protects one
// process from another, and no check of a disk that was just made. The second
// screen's driver waits until it is asked for.
const kernelOptions = "root=/dev/vda rw quiet console=ttyS0 mitigations=off nowatchdog " +
	"random.trust_cpu=on systemd.show_status=0 fsck.mode=skip modprobe.blacklist=virtio_gpu"

// qemu is a running QEMU.
type qemu struct {
	guard   *exec.Cmd
	release io.Closer
	monitor *monitor
	control string
}

// launch describes one start of QEMU.
type launch struct {
	// dir holds the machine's own disk, and gets its sockets and logs.
	dir string
	// boot has the kernel and its first file system.
	boot string
	// state is a saved machine to go on with; empty is a boot.
	state string
	// remove has the guard remove dir at the end.
	remove bool
	life   time.Duration
}

// start starts QEMU and connects to its monitor.
func (l launch) start(ctx context.Context) (*qemu, error) {
	q := &qemu{control: filepath.Join(l.dir, "control")}
	if err := q.startGuard(l); err != nil {
		return nil, fmt.Errorf("start QEMU: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	err := wait.Until(ctx, func() (bool, error) {
		var err error
		q.monitor, err = dialMonitor(ctx, filepath.Join(l.dir, "monitor"))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(l.dir, "qemu.log"))
		return nil, errors.Join(fmt.Errorf("start QEMU: %w: %s", err, log), q.close())
	}
	return q, nil
}

// startGuard starts the guard, and QEMU as its child, in a session of their own,
// so that Ctrl-C in the caller's terminal does not reach them.
func (q *qemu) startGuard(l launch) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	log, err := os.Create(filepath.Join(l.dir, "qemu.log"))
	if err != nil {
		return errors.Join(err, w.Close())
	}
	defer log.Close()
	remove := ""
	if l.remove {
		remove = l.dir
	}
	args := []string{"-c", guardScript, "testmachine-guard", remove, strconv.Itoa(max(1, int(l.life.Seconds()))), "qemu-system-x86_64"}
	// The guard outlives the context: it ends with the pipe.
	cmd := exec.Command("sh", append(args, l.arguments()...)...)
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	q.guard, q.release = cmd, w
	return nil
}

// arguments are QEMU's. The first screen is one that wakes from suspend, which
// virtio's does not. The second is virtio's, since the driver of the first takes
// no buffers of other devices, and Wayland compositors ask for that. The processor
// is an old one, since what newer ones add is slow without hardware.
func (l launch) arguments() []string {
	in := func(name string) string { return filepath.Join(l.dir, name) }
	args := []string{
		"-nodefaults", "-no-user-config", "-nic", "none", "-display", "none",
		"-machine", "pc", "-global", "PIIX4_PM.disable_s3=0", "-cpu", "qemu64", "-vga", "std", "-device", "virtio-gpu-pci",
		"-accel", fmt.Sprintf("tcg,thread=multi,tb-size=%d", codeCacheMB),
		"-smp", strconv.Itoa(processors), "-m", strconv.Itoa(memoryMB),
		"-kernel", filepath.Join(l.boot, "machine-kernel"), "-initrd", filepath.Join(l.boot, "machine-initrd"),
		"-append", kernelOptions,
		"-drive", "if=virtio,format=qcow2,file=" + in("disk.qcow2"),
		"-device", "virtio-rng-pci",
		"-chardev", "file,id=console,path=" + in("console.log"), "-serial", "chardev:console",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=control,server=on,wait=off,path=" + in("control"),
		"-device", "virtserialport,chardev=control,name=control",
		"-qmp", "unix:" + in("monitor") + ",server=on,wait=off",
	}
	if l.state != "" {
		args = append(args, "-incoming", "exec:cat '"+l.state+"'")
	}
	return args
}

// close ends QEMU, if it has not ended, and its guard.
func (q *qemu) close() error {
	var err error
	if q.monitor != nil {
		err = q.monitor.close()
	}
	err = errors.Join(err, q.release.Close())
	done := make(chan error, 1)
	go func() { done <- q.guard.Wait() }()
	select {
	case waitErr := <-done:
		return errors.Join(err, waitErr)
	case <-time.After(closeTimeout):
		return errors.Join(err, fmt.Errorf("the machine's guard, process %d, does not end", q.guard.Process.Pid))
	}
}
