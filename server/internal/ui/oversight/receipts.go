// Package oversight are the pages for who oversees: who has confirmed which notice, who changed
// what, and who looked at whom.
package oversight

import (
	"cmp"
	_ "embed" // for the page's template
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/ui/frame"
)

//go:embed receipts.html
var receiptsHTML string

const (
	// pageSize is how much is asked of the API at once, and maxPages how often.
	pageSize = "1000"
	maxPages = 20
	// shownRows is how many rows each table has; the files have all.
	shownRows = 200
	// shortHash is how much of a notice's hash people compare.
	shortHash = 12
)

// receiptsView is what receipts.html shows.
type receiptsView struct {
	// Notice is the version that was chosen; empty: any.
	Notice   string
	Notices  []notice
	Receipts []receipt
	// More is how many others there are, and Cut that not all were looked at.
	More int
	Cut  bool
	// Missing are the accounts that have confirmed none of it; Knows means that the visitor
	// may list accounts.
	Missing     []account
	MissingMore int
	Knows       bool
	CSV, XLSX   string
}

// notice is a version of the notice: its text's hash.
type notice struct {
	Hash, Short string
	Accounts    int
	First, Last string
	first, last time.Time
}

type account struct{ MachineID, Name, Host string }

type receipt struct {
	account

	Notice, Read, Received string
	readAt                 time.Time
}

// Pages returns the pages.
func Pages() []frame.Page {
	return []frame.Page{
		{Name: "receipts", HTML: receiptsHTML, Admin: true, Make: showReceipts},
		{Name: "audit", HTML: auditHTML, Admin: true, Make: showAudit},
	}
}

func showReceipts(v *frame.Visit) (any, error) {
	s := &receiptsView{Notice: v.Query.Get("notice"), Knows: v.Caller.Role == directory.RoleAdmin}
	rows, cut, err := receipts(v)
	if err != nil {
		return nil, err
	}
	s.Cut = cut
	confirmed := s.add(v, rows)
	if s.Knows {
		if err := s.missing(v, confirmed); err != nil {
			return nil, err
		}
	}
	file := func(format string) string {
		q := url.Values{"format": {format}}
		if s.Notice != "" {
			q.Set("notice", s.Notice)
		}
		return "api/receipts?" + q.Encode()
	}
	s.CSV, s.XLSX = file("csv"), file("xlsx")
	return s, nil
}

// receipts reads all receipts, or as many as a page looks at.
func receipts(v *frame.Visit) (rows []api.ReceiptRow, cut bool, err error) {
	q := url.Values{"limit": {pageSize}}
	for range maxPages {
		var list api.ReceiptList
		if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("receipts"), Query: q, Into: &list}); err != nil {
			return nil, false, err
		}
		rows = append(rows, list.Receipts...)
		if list.NextCursor == "" {
			return rows, false, nil
		}
		q.Set("cursor", list.NextCursor)
	}
	return rows, true, nil
}

// add sorts receipts by version, lists those of the chosen one, and returns which accounts have
// one.
func (s *receiptsView) add(v *frame.Visit, rows []api.ReceiptRow) map[string]bool {
	notices, confirmed, now := map[string]*notice{}, map[string]bool{}, v.Now.In(v.Zone)
	for i := range rows {
		r := &rows[i]
		n := notices[r.Notice]
		if n == nil {
			n = &notice{Hash: r.Notice, Short: r.Notice[:min(len(r.Notice), shortHash)], first: r.ReadAt, last: r.ReadAt}
			notices[r.Notice] = n
		}
		n.Accounts++
		if r.ReadAt.Before(n.first) {
			n.first = r.ReadAt
		}
		if r.ReadAt.After(n.last) {
			n.last = r.ReadAt
		}
		if s.Notice != "" && r.Notice != s.Notice {
			continue
		}
		confirmed[r.MachineID] = true
		s.Receipts = append(s.Receipts, receipt{
			account{r.MachineID, cmp.Or(r.Username, r.MachineID), r.Hostname},
			n.Short,
			v.Words.Moment(r.ReadAt.In(v.Zone), now), v.Words.Moment(r.ReceivedAt.In(v.Zone), now), r.ReadAt,
		})
	}
	for _, n := range slices.SortedFunc(maps.Values(notices), func(a, b *notice) int { return cmp.Or(b.last.Compare(a.last), strings.Compare(a.Hash, b.Hash)) }) {
		n.First, n.Last = v.Words.Moment(n.first.In(v.Zone), now), v.Words.Moment(n.last.In(v.Zone), now)
		s.Notices = append(s.Notices, *n)
	}
	slices.SortStableFunc(s.Receipts, func(a, b receipt) int { return b.readAt.Compare(a.readAt) })
	if s.More = max(0, len(s.Receipts)-shownRows); s.More > 0 {
		s.Receipts = s.Receipts[:shownRows]
	}
	return confirmed
}

// missing lists the accounts without a receipt.
func (s *receiptsView) missing(v *frame.Visit, confirmed map[string]bool) error {
	q := url.Values{"limit": {pageSize}}
	for range maxPages {
		var list api.MachineList
		if _, err := v.Do(frame.Call{Method: http.MethodGet, Path: frame.Path("machines"), Query: q, Into: &list}); err != nil {
			return err
		}
		for i := range list.Machines {
			m := &list.Machines[i]
			switch {
			case confirmed[m.MachineID]:
			case len(s.Missing) == shownRows:
				s.MissingMore++
			default:
				s.Missing = append(s.Missing, account{m.MachineID, cmp.Or(m.UserLabel, m.Username, m.MachineID), m.Hostname})
			}
		}
		if list.NextCursor == "" {
			return nil
		}
		q.Set("cursor", list.NextCursor)
	}
	s.Cut = true
	return nil
}
