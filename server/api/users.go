package api

import "time"

// Limits of what people who log in send.
const (
	// MaxPasswordBytes bounds a password, in bytes of UTF-8.
	MaxPasswordBytes = 1024
	// MaxLoginBytes bounds a login name: the longest e-mail address.
	MaxLoginBytes = 254
	// MaxUserGroups bounds the groups that a user is limited to.
	MaxUserGroups = 100
)

// Codes of refused logins and changes of users.
const (
	CodeBadLogin      Code = "bad_login"          // the name or the password is wrong, or both
	CodeBadInvitation Code = "bad_invitation"     // unknown, used or expired
	CodeSecondStep    Code = "second_step_needed" // the password is right, and a code is to come with it
	CodeBadCode       Code = "bad_code"           // a code of the second step that is wrong or was used
	CodeNoneBegun     Code = "no_second_step_begun"
	CodeBadPassword   Code = "bad_password"   // one that can't be chosen
	CodeNoTLS         Code = "no_tls"         // a password would be sent for all to read
	CodeUserExists    Code = "user_exists"    // another user has that name
	CodeUserDisabled  Code = "user_disabled"  // who is disabled can't be invited
	CodeTooManyUsers  Code = "too_many_users" // as many users as there may be
	CodeSSOFailed     Code = "sso_failed"     // what came back from the provider is not valid, or too late
	CodeSSORefused    Code = "sso_refused"    // the provider knows them, and they have no role here
	CodeOnlySSO       Code = "only_sso"       // nobody logs in by password
	CodeBySSO         Code = "by_sso"         // the provider decides it of this user
)

// UserState is whether somebody may log in.
type UserState string

// The states of a user.
const (
	UserInvited  UserState = "invited" // has no password yet
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
)

// UserAccess is what a user may do, and where: the body of PUT
// /api/users/{user}/access.
type UserAccess struct {
	Role string `json:"role"`
	// Groups are those whose machines alone they see; null: all machines, or none
	// where the role has none.
	Groups []string `json:"groups"`
}

// User is somebody who logs in.
type User struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	UserAccess

	// Version is of the role and the groups, for If-Match.
	Version string    `json:"version"`
	State   UserState `json:"state"`
	// Invited means that an invitation waits for them.
	Invited bool `json:"invited"`
	// SecondStep means that a password alone is not enough.
	SecondStep bool `json:"second_step"`
	// SingleSignOn means that they log in by it, and have no password.
	SingleSignOn bool       `json:"single_sign_on"`
	Sessions     int        `json:"sessions"`
	CreatedAt    time.Time  `json:"created_at"`
	LastLoginAt  *time.Time `json:"last_login_at"`
	// Person is whom of those who are measured they are; absent: nobody.
	Person string `json:"person,omitempty"`
	// Accounts are those whose links they opened, which alone are their own; absent: all
	// that the person has.
	Accounts []string `json:"accounts,omitempty"`
}

// UserList answers GET /api/users.
type UserList struct {
	Users []User `json:"users"`
}

// UserInvite is the body of POST /api/users.
type UserInvite struct {
	Login string `json:"login"`
	UserAccess
}

// UserInvitation answers it with the invitation, which is shown this once.
type UserInvitation struct {
	User       User      `json:"user"`
	Invitation string    `json:"invitation"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// UserPatch is the body of PATCH /api/users/{user}.
type UserPatch struct {
	Disabled *bool `json:"disabled"`
}

// InvitationAcceptance is the body of POST /api/invitation.
type InvitationAcceptance struct {
	Invitation string `json:"invitation"`
	Password   string `json:"password"`
}

// LoginRequest is the body of POST /api/login.
type LoginRequest struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	// Code is that of the second step, where the user has one.
	Code string `json:"code,omitempty"`
}

// Login is who has logged in.
type Login struct {
	User User `json:"user"`
	// Session is the id of the login.
	Session string `json:"session"`
}

// Logout answers POST /api/logout where the login goes on at the provider.
type Logout struct {
	// LogoutURL is where the browser ends it there.
	LogoutURL string `json:"logout_url"`
}

// PasswordChange is the body of PUT /api/login/password.
type PasswordChange struct {
	Password    string `json:"password"`
	NewPassword string `json:"new_password"`
}

// LoginSession is a login that lasts.
type LoginSession struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
	// Current means that the caller asks by it.
	Current bool `json:"current"`
}

// LoginSessionList answers GET /api/users/{user}/sessions.
type LoginSessionList struct {
	Sessions []LoginSession `json:"sessions"`
}

// SecondStepRequest is the body of POST /api/login/second-step.
type SecondStepRequest struct {
	Password string `json:"password"`
	// Code is that of the second step that there is already.
	Code string `json:"code,omitempty"`
}

// SecondStep answers it with what the device is to know, this once.
type SecondStep struct {
	Secret string `json:"secret"`
	// URI is the same as a QR code holds it.
	URI string `json:"uri"`
}

// SecondStepCode is the body of PUT /api/login/second-step.
type SecondStepCode struct {
	Code string `json:"code"`
}

// RecoveryCodes answers it with codes that stand in for the device, once each.
type RecoveryCodes struct {
	Codes []string `json:"codes"`
}
