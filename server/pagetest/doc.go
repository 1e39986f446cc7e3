// Package pagetest looks at the pages with a real browser: by eye, by keyboard, by axe-core.
// It is a module of its own, so that no program of ours gets what drives that browser.
package pagetest
