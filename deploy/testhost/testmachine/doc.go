// Package testmachine boots disposable virtual machines that have what a
// container has not: a kernel of their own, a seat with a keyboard, a mouse and
// a screen, and power. QEMU runs them without KVM.
//
// The disk is made of a Debian tree. The first start boots it, waits until the
// first user's desktop is up, and saves the running machine in the user's cache
// folder, beside the tree. Every machine starts from there, with an overlay of
// its own, within a few seconds, however slow the boot was.
//
// Keys, buttons and the wheel are those of QEMU's PS/2 devices, so that a press
// takes the whole way that a person's takes. Each event waits until the
// machine's kernel has passed on the one before: none is lost or merged, however
// busy the computer is.
//
// A machine has no network. Its one way out is a virtio port, at whose other
// end it runs sshd; the port is a socket in a folder that only the caller may
// enter. A guard process ends the machine and removes its folder when the caller
// closes it, ends, or is killed, and at the latest after Options.MaxLife.
package testmachine
