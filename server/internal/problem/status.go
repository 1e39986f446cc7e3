package problem

import (
	"net/http"

	"activity-tracker.example/server/api"
)

// Status returns the HTTP status of a kind of refusal. A kind that is not in the
// table is a failure of the server.
func Status(code api.Code) int {
	switch code {
	case api.CodeBadRequest, api.CodeBadPassword, api.CodePolicyTooLarge, api.CodeBadMachineID, api.CodeBadTimestamp:
		return http.StatusBadRequest
	case api.CodeUnauthorized, api.CodeBadToken, api.CodeBadLogin, api.CodeBadInvitation, api.CodeSecondStep, api.CodeBadCode, api.CodeBadLink, api.CodeSSOFailed:
		return http.StatusUnauthorized
	case api.CodeForbidden, api.CodeNoTLS, api.CodeScreenshotsOff, api.CodeForeignMachine, api.CodeTooLate, api.CodeSSORefused, api.CodeOnlySSO:
		return http.StatusForbidden
	case api.CodeNotFound:
		return http.StatusNotFound
	case api.CodeNotAllowed:
		return http.StatusMethodNotAllowed
	case api.CodeNotAcceptable:
		return http.StatusNotAcceptable
	case api.CodeHostEnrolled, api.CodeGroupExists, api.CodeTooManyGroups, api.CodeUserExists, api.CodeUserDisabled, api.CodeTooManyUsers, api.CodeBySSO, api.CodeNoneBegun,
		api.CodeTooManyAccounts, api.CodeOfPerson, api.CodeHostFull, api.CodeSelfOff, api.CodeNoBaseURL, api.CodeLoggedIn, api.CodeOtherPerson, api.CodeMonthClosed, api.CodeMonthNotOver,
		api.CodeTooManyNotes, api.CodeNoteAnswered:
		return http.StatusConflict
	case api.CodeChangedMeanwhile:
		return http.StatusPreconditionFailed
	case api.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case api.CodeUnsupported, api.CodeUnsupportedType:
		return http.StatusUnsupportedMediaType
	case api.CodeVersionMissing:
		return http.StatusPreconditionRequired
	case api.CodeRateLimited:
		return http.StatusTooManyRequests
	case api.CodeErased:
		return http.StatusGone
	case api.CodeBadPicture:
		return http.StatusUnprocessableEntity
	case api.CodeUnavailable, api.CodeStopping, api.CodeScreenshotsFull:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
