package outbound

// Target is the server that the host is enrolled with, and as whom it speaks to it. The
// credential is only ever sent to the URL.
type Target struct {
	// URL is the server's without the path of the API, as config.ParseServerURL writes it.
	URL string
	// Credential is the bearer token that this server issued.
	Credential string
}
