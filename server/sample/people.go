// Package sample makes up people and what they do: the same ones for the same number, for
// the demonstration and for tests of pages.
package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Person is somebody made up, with one account.
type Person struct {
	// Account is the name on the host, Name how people call them.
	Account, Name string
	// MachineID and Host are those of the account.
	MachineID, Host string
	// Team is what they work in.
	Team string

	number uint64
	work   occupation
	// begin is the usual minute of the day at which they come, length for how many they stay.
	begin, length int
	// calls is how often in a hundred spans they leave the keyboard alone.
	calls int
}

// perHost is how many people share a host.
const perHost = 40

// People returns the first n of them. The mark begins every account, every host and every
// name, so that nobody takes them for real; without one they look real.
func People(n int, mark string) []Person {
	first, last, jobs := firstNames(), lastNames(), occupations()
	list := make([]Person, n)
	for i := range list {
		r := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // made up, and the same each time
		job := jobs[i%len(jobs)]
		given, family := first[i%len(first)], last[(i*7+i/len(first))%len(last)]
		p := &list[i]
		*p = Person{
			Account: strings.ToLower(given + "." + family), Name: given + " " + family, Host: fmt.Sprintf("office-%d", 1+i/perHost),
			Team: job.team, number: uint64(i), work: job, begin: 7*60 + 30 + r.IntN(120), length: 8*60 + r.IntN(80), calls: 2 + r.IntN(12),
		}
		if i >= len(first)*len(last) {
			p.Account += fmt.Sprint(i)
		}
		if mark != "" {
			low := strings.ToLower(mark)
			p.Account, p.Name, p.Host, p.Team = low+"-"+p.Account, mark+": "+p.Name, low+"-"+p.Host, mark+": "+p.Team
		}
		p.MachineID = p.Host + "-" + p.Account
	}
	return list
}

// Teams returns who is in which, by the names of teams.
func Teams(people []Person) map[string][]string {
	teams := map[string][]string{}
	for i := range people {
		teams[people[i].Team] = append(teams[people[i].Team], people[i].MachineID)
	}
	return teams
}

func firstNames() []string {
	return []string{
		"Anna", "Boris", "Carla", "Dmitri", "Eva", "Fatima", "George", "Hana", "Igor", "Jana", "Kofi", "Lena", "Marek", "Nina", "Omar",
		"Petra", "Quentin", "Rosa", "Sven", "Tamara", "Umar", "Vera", "Wanda", "Yusuf", "Zoe",
	}
}

func lastNames() []string {
	return []string{
		"Kim", "Lem", "Diaz", "Ivanova", "Novak", "Haddad", "Hill", "Sato", "Petrov", "Meyer", "Mensah", "Vogel", "Zeman", "Orlova", "Rossi",
		"Bauer", "Moreau", "Silva", "Berg", "Lukin", "Aziz", "Holm", "Wolska", "Demir", "Clark", "Brandt", "Costa",
	}
}

// occupation is what a team works with.
type occupation struct {
	team string
	uses []use
}

// use is an application, its titles, and how many of a hundred spans it has.
type use struct {
	app    string
	share  int
	titles []string
}

func occupations() []occupation {
	mail := use{"Thunderbird", 22, []string{"Inbox - Thunderbird", "Re: delivery of Thursday - Thunderbird", "Write: offer 2217 - Thunderbird"}}
	web := use{"Firefox", 20, []string{"Wiki: how we work — Mozilla Firefox", "Time table — Mozilla Firefox", "Search — Mozilla Firefox"}}
	return []occupation{
		{"Support", []use{{"Firefox", 46, []string{"Ticket 4711: printer does not answer — Mozilla Firefox", "Ticket 4732: password — Mozilla Firefox", "Queue — Mozilla Firefox"}}, mail, {"XTerm", 18, []string{"anna@files: ~", "journalctl -f"}}, {"Telegram", 14, []string{"Support"}}}},
		{"Accounts", []use{{"LibreOffice Calc", 48, []string{"payroll.ods — LibreOffice Calc", "invoices.ods — LibreOffice Calc"}}, mail, web, {"LibreOffice Writer", 10, []string{"letter.odt — LibreOffice Writer"}}}},
		{"Engineering", []use{{"Visual Studio Code", 50, []string{"server.go — tracker", "day.html — tracker", "main_test.go — tracker"}}, {"XTerm", 20, []string{"make test", "git log"}}, web, {"Telegram", 10, []string{"Engineering"}}}},
		{"Sales", []use{mail, {"Firefox", 40, []string{"Customers — Mozilla Firefox", "Offer 2217 — Mozilla Firefox"}}, {"LibreOffice Impress", 18, []string{"pitch.odp — LibreOffice Impress"}}, {"Telegram", 20, []string{"Sales", "Customers"}}}},
	}
}
