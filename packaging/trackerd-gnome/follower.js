// Answers over the session's bus which window of GNOME Shell is in front. It
// answers what it is asked and announces that something changed, nothing more:
// no title goes to whom has not asked for one.

const NAME = 'example.activity_tracker.Focus1';
const PATH = '/example/activity_tracker/Focus1';
const INTERFACE = `
<node>
  <interface name="${NAME}">
    <method name="Focused">
      <arg type="b" direction="in" name="titles"/>
      <arg type="b" direction="out" name="present"/>
      <arg type="s" direction="out" name="application"/>
      <arg type="s" direction="out" name="title"/>
    </method>
    <signal name="Changed"/>
  </interface>
</node>`;

// Between two windows there is none for a moment, which is not worth a word:
// what is in front this many milliseconds after a change counts.
const SETTLE_FOR = 20;

class Follower {
    constructor() {
        this._asked = false; // since the last announcement
        this._titles = false; // were asked for
        this._timer = 0;
        this._window = null;
        this._title = 0;
        this._object = Gio.DBusExportedObject.wrapJSObject(INTERFACE, this);
        this._object.export(Gio.DBus.session, PATH);
        this._name = Gio.bus_own_name_on_connection(Gio.DBus.session, NAME,
            Gio.BusNameOwnerFlags.NONE, null, null);
        this._focus = global.display.connect('notify::focus-window', () => this._follow());
        this._mode = Main.sessionMode.connect('updated', () => this._changed());
        this._follow();
    }

    // Called over the bus. While the screen is locked nothing is in front.
    Focused(titles) {
        this._asked = true;
        this._titles = titles;
        const window = Main.sessionMode.isLocked ? null : global.display.focus_window;
        if (!window)
            return [false, '', ''];
        const application = window.get_wm_class() || window.get_gtk_application_id() || '';
        return [true, application, titles ? window.get_title() || '' : ''];
    }

    // Follows the title of the window in front.
    _follow() {
        this._leave();
        this._window = global.display.focus_window;
        if (this._window) {
            this._title = this._window.connect('notify::title', () => {
                if (this._titles)
                    this._changed();
            });
        }
        this._changed();
    }

    _leave() {
        if (this._window)
            this._window.disconnect(this._title);
        this._window = null;
    }

    // Announces a change, once for each question: whoever does not ask again is
    // told nothing more, however often a title changes.
    _changed() {
        if (!this._asked || this._timer)
            return;
        this._timer = GLib.timeout_add(GLib.PRIORITY_DEFAULT, SETTLE_FOR, () => {
            this._timer = 0;
            this._asked = false;
            this._object.emit_signal('Changed', null);
            return GLib.SOURCE_REMOVE;
        });
    }

    destroy() {
        this._leave();
        if (this._timer)
            GLib.source_remove(this._timer);
        Main.sessionMode.disconnect(this._mode);
        global.display.disconnect(this._focus);
        Gio.bus_unown_name(this._name);
        this._object.unexport();
    }
}
