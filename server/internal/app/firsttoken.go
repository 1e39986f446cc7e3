package app

import (
	"context"
	"log/slog"
	"time"

	"activity-tracker.example/server/internal/secret"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/rooms"
)

// firstTokenName is what the token is called in a list.
const firstTokenName = "first administrator"

// announceFirstToken makes an administrator's token where there is no API token
// at all, and shows it in the log, this once. Whoever reads the log until it is
// revoked is an administrator: that is for set-ups where nobody has a shell
// before the server runs.
func announceFirstToken(ctx context.Context, st *rooms.Store, log *slog.Logger) {
	fresh := secret.New(secret.KindToken)
	token := directory.Token{ID: fresh.ID, Name: firstTokenName, Role: directory.RoleAdmin, CreatedAt: time.Now().UTC()}
	made, err := st.AddFirstToken(ctx, token, fresh.Hash())
	switch {
	case err != nil && ctx.Err() == nil:
		log.Error("no first token was made; make one with: trackerd-server token create", "error", err)
	case made:
		level := slog.LevelWarn
		if !log.Enabled(ctx, level) {
			// Left out by --log-level error it would be lost for good.
			level = slog.LevelError
		}
		log.Log(ctx, level, "made the first administrator's API token; it is shown only here, only this once", "token", fresh.Reveal())
	}
}
