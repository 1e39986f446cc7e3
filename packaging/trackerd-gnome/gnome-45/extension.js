
export default class FocusExtension extends Extension {
    enable() {
        this._follower = new Follower();
    }

    disable() {
        this._follower.destroy();
        this._follower = null;
    }
}
