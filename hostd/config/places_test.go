package config

import (
	"strings"
	"testing"
)

func TestUserPlaces(t *testing.T) {
	got, err := UserPlaces([]string{"HOME=/home/ann", "XDG_DATA_HOME=relative"})
	want := Places{
		Config:     "/home/ann/.config/activity-tracker/config.yaml",
		Enrollment: "/home/ann/.config/activity-tracker/enrollment.yaml",
		Credential: "/home/ann/.config/activity-tracker/credential",
		Buffer:     "/home/ann/.local/share/activity-tracker/buffer.db",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	got, err = UserPlaces([]string{"HOME=/home/ann", "XDG_DATA_HOME=/d", "XDG_CONFIG_HOME=/c"})
	if err != nil || got.Buffer != "/d/activity-tracker/buffer.db" || got.Credential != "/c/activity-tracker/credential" {
		t.Errorf("with folders of one's own: %+v, %v", got, err)
	}
	if _, err := UserPlaces([]string{"HOME=relative"}); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("without HOME: %v", err)
	}
}
