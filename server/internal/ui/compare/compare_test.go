package compare_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/servertest"
	"activity-tracker.example/server/internal/servertest/browser"
	"activity-tracker.example/server/internal/store/directory"
)

// Groups stand side by side without a name; one of fewer than five active people is refused,
// with the reason, and whoever sees one group sees no other.
func TestCompare(t *testing.T) {
	b := browser.New(servertest.New(t, servertest.NewDatabase(t)))
	host := b.Host("vm")
	groups := map[string][]string{}
	for i := range 14 {
		account := fmt.Sprintf("vm-person-%02d", i)
		group := []string{"<i>Seven", "Six", "Few"}[min(i/6, 2)]
		if i == 12 {
			group = "<i>Seven"
		}
		groups[group] = append(groups[group], account)
		var list []api.Event
		for m := range (i + 1) * 10 { // the first ones ten minutes a day, and so on
			e := servertest.Minute(account, 0)
			e.Timestamp, e.ActiveSeconds = servertest.At("2026-10-05T09:00:00Z").Add(time.Duration(m)*time.Minute), new(60.0)
			list = append(list, e)
		}
		b.Send(host, list...)
	}
	b.Send(host, servertest.Minute("vm-absent", 0))
	groups["Few"] = append(groups["Few"], "vm-absent")
	for name, accounts := range groups {
		b.Group(name, accounts...)
	}
	b.User("admin", directory.RoleAdmin)
	b.User("manager", directory.RoleManager, "Six", "Few")
	b.As("admin")
	span := "&from=2026-10-01&to=2026-10-14"
	page := b.Get("/compare?group=Six&group=%3Ci%3ESeven&group=Few&group=" + span)
	page.Has(t, http.StatusOK, "&lt;i&gt;Seven", `<td class="num">6</td><td class="num">1 h 23 min</td><td class="num"><b>1 h 35 min</b></td><td class="num">1 h 48 min</td>`,
		"Fewer than 5 people were active", "Mon")
	page.Lacks(t, "person-", "<i>Seven")
	b.Get("/compare").Has(t, http.StatusOK, "Choose two to four groups")
	b.Get("/compare?group=Six&group=Six"+span).Has(t, http.StatusOK, "1 h 35 min")
	b.Get("/compare?group=Six&group=Few"+span, "Accept-Language", "ru").Has(t, http.StatusOK, "Активных меньше 5", "человек посередине")
	b.Get("/compare?group=Six&group=None"+span).Has(t, http.StatusNotFound)
	b.Get("/compare?group=a&group=b&group=c&group=d&group=e"+span).Has(t, http.StatusBadRequest)
	b.Get("/compare?group=Six&group=Few&from=2020-01-01&to=2026-01-01").Has(t, http.StatusBadRequest)
	b.As("manager")
	b.Get("/compare?group=Six&group=Few"+span).Has(t, http.StatusOK, "1 h 35 min")
	page = b.Get("/compare?group=Six&group=%3Ci%3ESeven" + span)
	page.Has(t, http.StatusNotFound)
	page.Lacks(t, "1 h")
}
