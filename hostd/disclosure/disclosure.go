// Package disclosure describes to people what is recorded about them, what never is,
// and what happens with it: as it is configured, in words for whoever it is about.
package disclosure

import (
	"fmt"
	"time"

	"activity-tracker.example/hostd/config"
	"activity-tracker.example/hostd/control"
	"activity-tracker.example/hostd/text"
	"activity-tracker.example/server/api/policy"
)

// For how many days the server keeps what it got, unless it is set otherwise
// there: the defaults of TRACKERD_SERVER_KEEP_EVENTS_DAYS (titles likewise) and
// TRACKERD_SERVER_KEEP_ROLLUPS_DAYS. This host cannot know the setting.
const (
	usualEventsDays = 400
	usualSumsDays   = 1100
	// usualPictureDays is the default of TRACKERD_SERVER_KEEP_SCREENSHOTS_DAYS.
	usualPictureDays = 14
)

// waitingDays is for how long a picture waits for the server at most.
const waitingDays = 7

// words are one thing said in both languages.
type words struct{ en, ru string }

// recorded is one thing that is recorded about a person.
type recorded struct {
	// words describe it to them.
	words

	// fields are what it speaks of, as they are named on the wire: fields of
	// api.Event, of its focus ("focus.…"), of what was not collected
	// ("not_collected.…"), of receipts ("receipt.…") and of the enrolment ("host.…").
	// A test holds that each field is spoken of.
	fields []string
}

// everything lists all that leaves the host about a person.
func everything(cfg *config.Config) []recorded {
	list := []recorded{
		{
			words{
				"how many keys you press (never which), how often keys that you hold repeat, how often you click, how far you scroll and move the pointer",
				"сколько клавиш вы нажимаете (но не какие), сколько раз повторяются те, что вы держите, сколько раз щёлкаете мышью, как много прокручиваете и двигаете указатель",
			},
			[]string{"key_count", "repeat_count", "mouse_clicks", "scroll_count", "mouse_distance_px", "distance_unit"},
		},
		{
			words{
				"how many presses, clicks and scroll steps come from programs instead of hands",
				"сколько нажатий, щелчков и шагов прокрутки сделали программы, а не руки",
			},
			[]string{"synthetic_count"},
		},
		window(cfg.Features.WindowTitles),
		{
			words{
				fmt.Sprintf("whether you are active (input by hand within the last %s) or idle, for how long you are active, whether you are connected, and whether your screen is locked",
					duration(cfg.IdleAfter)),
				fmt.Sprintf("активны ли вы (ввод руками за последние %s) или бездействуете, сколько времени активны, подключены ли и заблокирован ли экран",
					russianDuration(cfg.IdleAfter)),
			},
			[]string{"is_idle", "active_seconds", "connected", "locked"},
		},
		{
			words{
				"your user name, whether it is one of the system's, this host's name and identifier, and the kind of your session (such as rdp)",
				"ваше имя пользователя, системное ли оно, имя и идентификатор этого хоста и вид вашей сессии (например, rdp)",
			},
			[]string{"username", "system_user", "machine_id", "session_kind", "host.hostname", "host.host_id", "host.kind"},
		},
		{
			words{
				fmt.Sprintf("all this in records of %s each, with date and time", duration(cfg.CollectInterval)),
				fmt.Sprintf("всё это — записями по %s, с датой и временем", russianDuration(cfg.CollectInterval)),
			},
			[]string{"timestamp", "interval_sec", "collected_seconds"},
		},
		{
			words{
				"when by rule nothing of you was recorded: outside work hours, or because you paused it ('trackctl pause')",
				"когда по правилам о вас ничего не записывалось: вне рабочих часов или потому, что вы это приостановили ('trackctl pause')",
			},
			[]string{"not_collected.start", "not_collected.end", "not_collected.reason", "not_collected.machine_id"},
		},
		{
			words{
				"which version of the notice about this you confirmed to have read, and when, if you did ('trackctl notice')",
				"какую версию уведомления об этом и когда вы подтвердили, если подтвердили ('trackctl notice')",
			},
			[]string{"receipt.notice", "receipt.read_at", "receipt.machine_id"},
		},
	}
	if cfg.Features.TrackSystemStats {
		list = append(list, stats()...)
	}
	if s := cfg.Features.Screenshots; s.Allow {
		list = append(list, pictures(s))
	}
	return list
}

// pictures is what is recorded where pictures of the screen are taken.
func pictures(s policy.EffectiveScreenshots) recorded {
	each := time.Duration(s.IntervalSec) * time.Second
	seen := words{"so blurred that no writing can be read", "настолько размытый, что прочесть ничего нельзя"}
	if s.Kind == policy.Readable {
		seen = words{"at half its size, in which writing can be read", "в половину размера, на котором можно читать"}
	}
	return recorded{words{
		fmt.Sprintf("a picture of your screen, %s, at a random moment in %s, while you are active and connected, your screen is not locked, you confirmed to have read this and no window is open whose title a rule drops; your screen shows it each time",
			seen.en, duration(each)),
		fmt.Sprintf("снимок вашего экрана, %s, в случайный момент за %s, пока вы активны и подключены, экран не заблокирован, вы подтвердили, что прочли это, и не открыто окно, заголовок которого правило удаляет; каждый раз об этом говорится на экране",
			seen.ru, russianDuration(each)),
	}, []string{"screenshot.machine_id", "screenshot.taken_at", "screenshot.kind", "screenshot"}}
}

// window is what is recorded of the window in front.
func window(titles bool) recorded {
	fields := []string{"active_app", "focus", "focus.app", "focus.seconds", "focus.active_seconds"}
	if titles {
		return recorded{words{
			"which application has the focus, its window's title, and for how long",
			"какое приложение в фокусе, заголовок его окна и сколько времени",
		}, append(fields, "active_window", "focus.title")}
	}
	return recorded{words{
		"which application has the focus, and for how long",
		"какое приложение в фокусе и сколько времени",
	}, fields}
}

// stats are the figures of the host, and what a person's programs take of them.
func stats() []recorded {
	return []recorded{
		{
			words{
				"how much processor time and memory your programs use",
				"сколько процессорного времени и памяти занимают ваши программы",
			},
			[]string{"user_cpu_percent", "user_ram_bytes"},
		},
		{
			words{
				"how much of the host's processor, memory and disk is in use, by everybody together",
				"насколько заняты процессор, память и диск хоста — всеми вместе",
			},
			[]string{"cpu_percent", "ram_used_percent", "disk_used_percent"},
		},
	}
}

// never lists what is never recorded.
func never(cfg *config.Config) []words {
	list := []words{
		{
			"what you type: no key is known to this program beyond the moment of counting it",
			"что вы набираете: программе не известна ни одна клавиша дольше мгновения, в которое она её считает",
		},
		{"pictures of your screen, sound or camera", "снимки вашего экрана, звук и камера"},
		{"the contents of windows, files, mail or the clipboard", "содержимое окон, файлов, почты и буфера обмена"},
	}
	if cfg.Features.Screenshots.Allow {
		list[1] = words{"sound or camera", "звук и камера"}
		list[2] = words{
			"the contents of files, mail or the clipboard, but for what a picture of your screen shows of them",
			"содержимое файлов, почты и буфера обмена, кроме того, что из них видно на снимке экрана",
		}
	}
	if !cfg.Features.WindowTitles {
		list = append(list, words{"titles of windows", "заголовки окон"})
	}
	return list
}

// handling lists what happens with it.
func handling(cfg *config.Config, user bool) []words {
	reader := words{"on this host, where only root can read it", "на этом хосте, где прочитать их может только root"}
	if user {
		reader = words{"in a folder of your own, where only you and root can read it", "в вашей собственной папке, где прочитать их можете только вы и root"}
	}
	list := []words{
		{
			fmt.Sprintf("it waits %s, and is uploaded to the server at intervals of %s", reader.en, duration(cfg.SendInterval)),
			fmt.Sprintf("записи ждут %s, и отправляются на сервер через каждые %s", reader.ru, russianDuration(cfg.SendInterval)),
		},
		{
			"whoever has been given access to the server can read it, also live, as it is uploaded",
			"прочитать их может всякий, кому дали доступ к серверу, в том числе сразу, по мере отправки",
		},
		{
			fmt.Sprintf("how long it is kept is set on the server; usual are %d days for records and window titles, and %d days for sums made of them",
				usualEventsDays, usualSumsDays),
			fmt.Sprintf("сколько они хранятся, задано на сервере; обычно %d дней — записи и заголовки окон, %d дней — суммы по ним",
				usualEventsDays, usualSumsDays),
		},
	}
	if cfg.Features.Screenshots.Allow {
		list = append(list, words{
			fmt.Sprintf("a picture waits here for %d days at most; usual on the server are %d days", waitingDays, usualPictureDays),
			fmt.Sprintf("снимок ждёт здесь не дольше %d дней; обычно на сервере — %d дней", waitingDays, usualPictureDays),
		})
	}
	return list
}

// Of returns what a person is shown under a configuration; user is set when they run
// the daemon themselves.
func Of(cfg *config.Config, user bool) control.Measured {
	return in(cfg, user, func(w words) string { return w.en })
}

// InRussian is Of in Russian.
func InRussian(cfg *config.Config, user bool) control.Measured {
	return in(cfg, user, func(w words) string { return w.ru })
}

func in(cfg *config.Config, user bool, language func(words) string) control.Measured {
	var m control.Measured
	for _, r := range everything(cfg) {
		m.Counted = append(m.Counted, language(r.words))
	}
	for _, w := range never(cfg) {
		m.Never = append(m.Never, language(w))
	}
	for _, w := range handling(cfg, user) {
		m.Handling = append(m.Handling, language(w))
	}
	return m
}

// duration writes "5 minutes", or "90 seconds" where that is exact.
func duration(d time.Duration) string {
	if d%time.Minute == 0 {
		return text.Count(int64(d/time.Minute), "minute")
	}
	return text.Count(int64(d/time.Second), "second")
}

// russianDuration writes the same in units that need no cases.
func russianDuration(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d мин", d/time.Minute)
	}
	return fmt.Sprintf("%d с", d/time.Second)
}
