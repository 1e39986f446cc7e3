package picture

import (
	"github.com/jezek/xgb/xproto"

	"activity-tracker.example/sessiond/internal/x11"
	"activity-tracker.example/sessiond/wire"
)

const (
	// maxWindows is how many windows are looked at: some hundred are on a desktop with
	// many programs, most of them parts of others.
	maxWindows = 8192
	// maxTextWords is how much of a text property is asked for, in units of four bytes.
	maxTextWords = wire.MaxTitleBytes / 4
)

// covered reports whether a window that can be seen is one that must not be on a picture.
// Every window is asked for its names, at any depth: which of them a person takes for one
// is known to the window manager alone.
func (s *Screen) covered(covers func(string, []string) bool) (bool, error) {
	level, seen := []xproto.Window{s.root}, 0
	for len(level) > 0 {
		var next []xproto.Window
		trees := make([]xproto.QueryTreeCookie, len(level))
		for i, w := range level {
			trees[i] = xproto.QueryTree(s.x, w)
		}
		for _, asked := range trees {
			if reply, err := asked.Reply(); err == nil { // else it is gone
				next = append(next, reply.Children...)
			}
		}
		if seen += len(next); seen > maxWindows {
			return false, OutcomeError(wire.OutcomeCrowded)
		}
		visible := s.viewable(next)
		if s.anyCovered(visible, covers) {
			return true, nil
		}
		level = visible
	}
	// A connection that is lost answers nothing, and hides no window.
	if _, err := xproto.GetInputFocus(s.x).Reply(); err != nil {
		return false, OutcomeError(wire.OutcomeDisplay)
	}
	return false, nil
}

// viewable returns those of the windows that are mapped, as all around them are.
func (s *Screen) viewable(windows []xproto.Window) []xproto.Window {
	asked := make([]xproto.GetWindowAttributesCookie, len(windows))
	for i, w := range windows {
		asked[i] = xproto.GetWindowAttributes(s.x, w)
	}
	var visible []xproto.Window
	for i := range asked {
		reply, err := asked[i].Reply()
		if err == nil && reply.MapState == xproto.MapStateViewable && reply.Class == xproto.WindowClassInputOutput {
			visible = append(visible, windows[i])
		}
	}
	return visible
}

// anyCovered holds the names of windows against what must not be seen. One without any
// is part of another.
func (s *Screen) anyCovered(windows []xproto.Window, covers func(string, []string) bool) bool {
	const class, pid, texts = 0, 1, 2
	names := [...]xproto.Atom{xproto.AtomWmClass, s.netWMPid, s.netWMName, xproto.AtomWmName, s.visibleName}
	asked := make([][len(names)]xproto.GetPropertyCookie, len(windows))
	for i, w := range windows {
		for j, atom := range names {
			asked[i][j] = xproto.GetProperty(s.x, false, w, atom, xproto.GetPropertyTypeAny, 0, maxTextWords)
		}
	}
	found := false
	for i := range asked {
		var replies [len(names)]*xproto.GetPropertyReply
		named := false
		for j := range asked[i] {
			if reply, err := asked[i][j].Reply(); err == nil && reply.Type != xproto.AtomNone {
				replies[j], named = reply, true
			}
		}
		if !named {
			continue
		}
		n := x11.ReadNames(s.types, replies[class], replies[pid], replies[texts:]...)
		found = found || covers(n.App, n.Titles)
	}
	return found
}
