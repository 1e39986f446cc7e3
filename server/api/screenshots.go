package api

import "time"

// LookedScreenshots is the access log's name of pictures of screens.
const LookedScreenshots = "screenshots"

// MaxScreenshotBytes bounds a picture as it is sent.
const MaxScreenshotBytes = 512 << 10

// What is refused about pictures of screens.
const (
	CodeScreenshotsOff  Code = "screenshots_off"  // policy in force allows none on that host, or only blurred ones
	CodeBadPicture      Code = "bad_picture"      // no plain baseline JPEG, or one of too many pixels
	CodeScreenshotsFull Code = "screenshots_full" // no room for more; later there may be
	CodeTooLate         Code = "too_late"         // one's own can be deleted only for a while
)

// Screenshot is what is known of a picture of a screen.
type Screenshot struct {
	ID        string `json:"id"`
	MachineID string `json:"machine_id"`
	// TakenAt is when the host took it, ReceivedAt when the server got it.
	TakenAt    time.Time `json:"taken_at"`
	ReceivedAt time.Time `json:"received_at"`
	// Kind is blurred or readable.
	Kind   string `json:"kind"`
	Width  int64  `json:"width"`
	Height int64  `json:"height"`
	Bytes  int64  `json:"bytes"`
	// DeletedAt and DeletedBy are when and by whom the picture was deleted; absent: it is
	// there.
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
	DeletedBy *string    `json:"deleted_by,omitempty"`
}

// ScreenshotAdded answers POST /api/screenshots.
type ScreenshotAdded struct {
	ID string `json:"id"`
}

// ScreenshotList answers GET /api/people/{person}/screenshots.
type ScreenshotList struct {
	Person      string       `json:"person"`
	Screenshots []Screenshot `json:"screenshots"`
	NextCursor  string       `json:"next_cursor,omitempty"`
}
