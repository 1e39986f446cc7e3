package testmachine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"activity-tracker.example/testhost/debian"
	"activity-tracker.example/testhost/internal/wait"
)

const (
	// diskSize is the machine's disk, most of it a hole in the file.
	diskSize = "4G"
	// bootTimeout is for a busy computer; 30 s is usual on an idle one.
	bootTimeout = 15 * time.Minute
	// prepareTimeout is for making tree and image on a busy computer, or waiting
	// for another program that does; 4 minutes are usual.
	prepareTimeout = 40 * time.Minute
	// imagePrefix begins the names of images in the cache folder.
	imagePrefix = "testmachine-"
	// keepUnused is how long an image is kept that nobody uses: another checkout
	// may have another recipe.
	keepUnused = 7 * 24 * time.Hour
)

// image is a folder with a disk, a kernel, and the state of a machine that runs
// on them.
type image string

func (i image) disk() string  { return filepath.Join(string(i), "disk.qcow2") }
func (i image) state() string { return filepath.Join(string(i), "state") }

// Prepare makes sure that there is a saved machine of the recipe, which Start
// goes on with. The first call takes minutes: it builds the tree and boots.
// Progress goes to progress, which may be nil.
func Prepare(ctx context.Context, recipe debian.Recipe, progress io.Writer) error {
	_, err := prepare(ctx, recipe, progress)
	return err
}

func prepare(ctx context.Context, recipe debian.Recipe, progress io.Writer) (image, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	if progress == nil {
		progress = io.Discard
	}
	tree, err := debian.Build(ctx, recipe, progress)
	if err != nil {
		return "", err
	}
	id, err := imageID(ctx, tree)
	if err != nil {
		return "", err
	}
	i := image(filepath.Join(filepath.Dir(tree), imagePrefix+id))
	if i.used() {
		return i, nil
	}
	unlock, err := wait.Lock(ctx, string(i)+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if i.used() {
		return i, nil
	}
	if err := removeUnused(filepath.Dir(tree)); err != nil {
		return "", err
	}
	begun := time.Now()
	fmt.Fprintf(progress, "testmachine: booting %s-%s once (%s)\n", recipe.Suite, recipe.Name, i)
	if err := i.build(ctx, tree); err != nil {
		return "", fmt.Errorf("make a machine of %s-%s: %w", recipe.Suite, recipe.Name, err)
	}
	fmt.Fprintf(progress, "testmachine: booted and saved %s-%s after %s\n", recipe.Suite, recipe.Name, time.Since(begun).Round(time.Second))
	return i, nil
}

// imageID names an image after all that decides whether its state can be gone on
// with: what is on the disk, the QEMU that saved it, and its devices.
func imageID(ctx context.Context, tree string) (string, error) {
	version, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("start QEMU (apt-get install qemu-system-x86 qemu-utils): %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q", version, launch{}.arguments())
	name := strings.TrimPrefix(filepath.Base(tree), "testhost-base-")
	return name + "-" + hex.EncodeToString(h.Sum(nil))[:8], nil
}

// used reports whether the image is there, and notes that it is in use.
func (i image) used() bool {
	if _, err := os.Stat(i.state()); err != nil {
		return false
	}
	now := time.Now()
	// Only removeUnused reads it, and it allows for a week.
	_ = os.Chtimes(string(i), now, now)
	return true
}

// build makes the image in a temporary folder and renames it, so that one under
// its final name is whole. The caller holds its lock.
func (i image) build(ctx context.Context, tree string) error {
	tmp := image(string(i) + ".tmp")
	if err := os.RemoveAll(string(tmp)); err != nil {
		return fmt.Errorf("remove what an ended build left: %w", err)
	}
	if err := os.Mkdir(string(tmp), 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(string(tmp))
	for _, name := range []string{"machine-kernel", "machine-initrd"} {
		if err := run(ctx, "cp", filepath.Join(tree, "boot", name), filepath.Join(string(tmp), name)); err != nil {
			return err
		}
	}
	raw := filepath.Join(string(tmp), "disk.raw")
	if err := run(ctx, "mke2fs", "-q", "-t", "ext4", "-d", tree, raw, diskSize); err != nil {
		return err
	}
	// Relative, since the folder is renamed.
	if err := run(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", "disk.raw", "-F", "raw", tmp.disk()); err != nil {
		return err
	}
	if err := tmp.bootAndSave(ctx); err != nil {
		return err
	}
	return os.Rename(string(tmp), string(i))
}

// bootAndSave boots the image's own disk and saves the running machine.
func (i image) bootAndSave(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	l := launch{dir: string(i), boot: string(i), life: bootTimeout}
	q, err := l.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	m := &Machine{qemu: q, dir: string(i), servings: 1}
	if err := m.connect(ctx); err != nil {
		return fmt.Errorf("wait until it answers: %w\n%s", err, m.console())
	}
	if err := m.waitDesktop(ctx); err != nil {
		return errors.Join(err, m.disconnect())
	}
	if err := m.disconnect(); err != nil {
		return err
	}
	// Saved before, it would take the next connection for a part of this one.
	if err := m.waitListening(ctx); err != nil {
		return err
	}
	return m.save(ctx, i.state())
}

// save writes the machine, which then stands still, to a file.
func (m *Machine) save(ctx context.Context, path string) error {
	if err := m.qemu.monitor.run("stop", nil, nil); err != nil {
		return err
	}
	const unlimited = 1 << 40 // bytes a second
	err := m.qemu.monitor.run("migrate-set-parameters", map[string]any{"max-bandwidth": unlimited}, nil)
	if err != nil {
		return err
	}
	if err := m.qemu.monitor.run("migrate", map[string]any{"uri": "exec:cat >'" + path + "'"}, nil); err != nil {
		return err
	}
	err = wait.Until(ctx, func() (bool, error) {
		var s struct {
			Status string `json:"status"`
		}
		if err := m.qemu.monitor.run("query-migrate", nil, &s); err != nil {
			return false, err
		}
		if s.Status == "failed" {
			return false, errors.New("QEMU: saving the machine failed")
		}
		return s.Status == "completed", nil
	})
	if err != nil {
		return fmt.Errorf("save the machine: %w", err)
	}
	return m.qemu.monitor.quit()
}

// removeUnused deletes the images that nobody used for long, whole or begun.
func removeUnused(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, imagePrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove an unused machine: %w", err)
		}
	}
	return nil
}

// run runs a program of this computer's.
func run(ctx context.Context, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return nil
}
