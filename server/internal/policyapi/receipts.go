package policyapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/problem"
	"activity-tracker.example/server/internal/request"
	"activity-tracker.example/server/internal/store/directory"
	"activity-tracker.example/server/internal/store/policies"
)

const (
	maxReceiptBytes = 4 << 10
	// clockAhead is how far a host's clock may be ahead of the server's, as for events.
	clockAhead = 24 * time.Hour
)

// notices are what a version of a notice looks like: a hash.
var notices = regexp.MustCompile(`^[0-9a-f]{16,128}$`)

// AddReceipt keeps what a host reports of an account that it owns: a notice was read.
func (a *API) AddReceipt(w http.ResponseWriter, r *http.Request) {
	host, err := a.guard.Host(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	ask, err := request.Read[api.Receipt](w, r, request.Body{
		Limit: maxReceiptBytes, Strict: true, Example: `{"machine_id": "vm-abc123-user1", "notice": "0123456789abcdef", "read_at": "2026-11-23T10:00:00Z"}`,
		TooLarge: problem.New(api.CodeTooLarge, "The body is larger than 4 KiB."),
	})
	switch {
	case err != nil:
	case ask.MachineID == "" || len(ask.MachineID) > api.MaxMachineIDBytes || strings.ContainsRune(ask.MachineID, 0):
		err = problem.BadRequest("machine_id is missing or too long.")
	case !notices.MatchString(ask.Notice):
		err = problem.BadRequest("notice: want the notice's hash, 16 to 128 hexadecimal digits in lower case.")
	case ask.ReadAt.UTC().Year() < api.FirstYear || time.Until(ask.ReadAt) > clockAhead:
		err = problem.BadRequest("read_at: want a time since 2000, at most 24 hours ahead of the server's clock.")
	default:
		err = a.policies.AddReceipt(r.Context(), host.Key, ask.MachineID, ask.Notice, ask.ReadAt)
	}
	reply(w, r, http.StatusNoContent, nil, err)
}

// ReceiptsQuestion is which receipts are asked for.
type ReceiptsQuestion struct {
	policies.ReceiptFilter

	// Limited means that the caller asks for one page.
	Limited bool
}

// AskReceipts reads the question of GET /api/receipts.
func AskReceipts(r *http.Request) (ReceiptsQuestion, error) {
	q := r.URL.Query()
	ask := ReceiptsQuestion{ReceiptFilter: policies.ReceiptFilter{Notice: q.Get("notice"), Limit: maxPage}}
	if ask.Notice != "" && !notices.MatchString(ask.Notice) {
		return ask, problem.BadRequest("notice: want the notice's hash, 16 to 128 hexadecimal digits in lower case.")
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return ask, problem.BadRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxPage))
		}
		ask.Limit, ask.Limited = n, true
	}
	if text := q.Get("cursor"); text != "" {
		notice, machine, ok := strings.Cut(text, ".")
		if !ok || !notices.MatchString(notice) || machine == "" || strings.ContainsRune(machine, 0) {
			return ask, problem.BadRequest("cursor: want next_cursor of the page before")
		}
		ask.AfterMachine, ask.AfterNotice = machine, notice
	}
	return ask, nil
}

// Receipts answers with a page of receipts. All are seen by whoever may see any.
func (a *API) Receipts(ctx context.Context, _ directory.Scope, ask ReceiptsQuestion) (api.ReceiptList, error) {
	list := api.ReceiptList{Receipts: []api.ReceiptRow{}}
	found, err := a.policies.Receipts(ctx, ask.ReceiptFilter)
	if err != nil {
		return list, err
	}
	for _, f := range found {
		list.Receipts = append(list.Receipts, api.ReceiptRow{
			MachineID: f.MachineID, Hostname: f.Hostname, Username: f.Username, Notice: f.Notice,
			ReadAt: f.ReadAt.UTC(), ReceivedAt: f.ReceivedAt.UTC(), HostID: f.HostID,
		})
	}
	if len(found) == ask.Limit {
		last := found[len(found)-1]
		list.NextCursor = last.Notice + "." + last.MachineID
	}
	return list, nil
}

// EachReceipt goes through all receipts, page by page.
func (a *API) EachReceipt(ctx context.Context, scope directory.Scope, ask ReceiptsQuestion) iter.Seq2[api.ReceiptRow, error] {
	return func(yield func(api.ReceiptRow, error) bool) {
		for {
			list, err := a.Receipts(ctx, scope, ask)
			if err != nil {
				yield(api.ReceiptRow{}, err)
				return
			}
			for _, row := range list.Receipts {
				if !yield(row, nil) {
					return
				}
			}
			if list.NextCursor == "" {
				return
			}
			last := list.Receipts[len(list.Receipts)-1]
			ask.AfterMachine, ask.AfterNotice = last.MachineID, last.Notice
		}
	}
}
