// For GNOME Shell before 45, which has a module system of its own.
/* exported init */

const {Gio, GLib} = imports.gi;
const Main = imports.ui.main;

