
class FocusExtension {
    enable() {
        this._follower = new Follower();
    }

    disable() {
        this._follower.destroy();
        this._follower = null;
    }
}

function init() {
    return new FocusExtension();
}
