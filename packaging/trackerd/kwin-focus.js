// Passes the window in front of KWin on to sessiond-wayland, which loads this
// script and unloads it when it ends. KWin 5 has clients, KWin 6 has windows.

const helper = ["example.activity_tracker.KWinFocus", "/example/activity_tracker/KWinFocus",
    "example.activity_tracker.KWinFocus"];
// Between two windows there is none for a moment, which is not worth a call:
// what is in front this many milliseconds after a change counts.
const settleFor = 20;
// Titles may change all the time: this many milliseconds pass after a call.
const restFor = 250;
// The helper cuts titles there anyway, in bytes.
const longest = 1024;

const six = workspace.windowActivated !== undefined;
let titles = false;
let watched = null;
let waiting = false;

function timer(milliseconds, due) {
    const t = new QTimer();
    t.singleShot = true;
    t.interval = milliseconds;
    t.timeout.connect(due);
    return t;
}

const settle = timer(settleFor, pass);
const rest = timer(restFor, function () {
    if (waiting) {
        pass();
    }
});

function front() {
    return six ? workspace.activeWindow : workspace.activeClient;
}

function pass() {
    const window = front();
    const app = window ? String(window.resourceClass) : "";
    const title = window && titles ? String(window.caption).slice(0, longest) : "";
    callDBus(...helper, "Focused", Boolean(window), app, title);
    waiting = false;
    rest.start();
}

function changed() {
    if (rest.active) {
        waiting = true;
    } else if (!settle.active) {
        settle.start();
    }
}

function activated() {
    try {
        if (watched && titles) {
            watched.captionChanged.disconnect(changed);
        }
    } catch (gone) {
        // The window was closed.
    }
    watched = front();
    if (watched && titles) {
        watched.captionChanged.connect(changed);
    }
    changed();
}

// Titles are read only if the helper wants them.
callDBus(...helper, "Titles", function (wanted) {
    titles = wanted === true;
    (six ? workspace.windowActivated : workspace.clientActivated).connect(activated);
    activated();
});
