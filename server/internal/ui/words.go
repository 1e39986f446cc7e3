package ui

import (
	"cmp"
	"strings"

	"activity-tracker.example/server/api"
)

// words are those of a page in one language.
type words struct {
	Lang, Title, Opened, Partial, Ends, Today, Apps, Looked, Nobody, When, Who, What, Zone, Show, Export, Close, OpenTitle, How, Paste, Open, Tie string
	// More leads to the page of one's day.
	More string
	// Pictures of screens.
	Pictures, Hour, Taken, Account, Picture, Delete, deleted, by string
	kinds                                                        map[string]string
	// Notes and the form for one.
	Notes, NotesHow, Span, Note, Answer, Day, From, To, Keep string
	// What the table of figures has.
	active, idle, first, last, keys, clicks, scroll, distance, none string
	// Who looked.
	user, token, self, command, server string
	// Refusals by their codes, and what is said of all others.
	refusals map[api.Code]string
	failed   string
}

func english() *words {
	return &words{
		Lang: "en", Title: "What is kept about you", Opened: "You see the account", Partial: "You have others, which are not in here.", Ends: "This page closes by itself after an hour.",
		Today: "Today,", Apps: "Applications today", Looked: "Who looked at this", Nobody: "Nobody yet.", When: "Last at (UTC)", Who: "Who", What: "What",
		Zone: "Time zone", Show: "Show", More: "The day as a picture, with applications, titles, the week, and what is collected by which rule", Export: "Download everything that is kept", Close: "Close this page now",
		OpenTitle: "Open your page", How: "On the host where you work, type: trackctl web. Open the link that it prints, or paste it here. It works once, for a minute.",
		Paste: "The link, or what stands behind its #", Open: "Open", Tie: "See this account as my own",
		Pictures: "Pictures of your screen", Hour: "The newest ones. You can delete one for an hour after it came; that there was one, and who deleted it, stays.",
		Taken: "Taken", Account: "Account", Picture: "Picture", Delete: "Delete", deleted: "deleted", by: " by ",
		kinds: map[string]string{"blurred": "blurred", "readable": "readable"},
		Notes: "Your notes", NotesHow: "A note explains a span of your time, such as a meeting. It stands beside the figures and changes none of them. Whoever may see your account may read it; its managers may answer.",
		Span: "When", Note: "Note", Answer: "Answer", Day: "Day", From: "From", To: "Until", Keep: "Keep this note",
		active: "Active", idle: "Without input", first: "First activity", last: "Last activity", keys: "Keys pressed", clicks: "Clicks", scroll: "Steps scrolled", distance: "Way of the pointer", none: "none",
		user: "user", token: "program with the token", self: "somebody who opened this account's link", command: "command on the server, by user id", server: "the server",
		refusals: map[api.Code]string{
			api.CodeBadLink: "This link is unknown, was used, or is over. Make another: trackctl web.",
			api.CodeSelfOff: "Your organisation has switched these pages off.", api.CodeUnauthorized: "Your organisation has switched these pages off.",
			api.CodeLoggedIn:     "You are logged in. Do you want to see this account as your own from now on?",
			api.CodeOtherPerson:  "The account is another person's than yours; an administrator can change that.",
			api.CodeRateLimited:  "Too many attempts failed. Wait a little, and try again.",
			api.CodeNoTLS:        "Links are taken over https alone.",
			api.CodeForbidden:    "Another site's page asked for this; nothing was done.",
			api.CodeTooLate:      "The picture came more than an hour ago; it can no longer be deleted here.",
			api.CodeBadRequest:   "A note needs a beginning and a later end, no longer ago than figures are kept and no later than tomorrow, and a text of 1 to 500 characters.",
			api.CodeTooManyNotes: "There are as many notes of that day, or in all, as there may be. Delete one first.",
			api.CodeNoteAnswered: "The note was answered: it stays as it is.",
			api.CodeErased:       "What was known of that time was erased; there is nothing to explain.",
			api.CodeNotFound:     "You are logged in, and no account is known to be yours.",
		},
		failed: "That did not work. Try again later.",
	}
}

func russian() *words {
	return &words{
		Lang: "ru", Title: "Что о вас хранится", Opened: "Вы видите учётную запись", Partial: "У вас есть и другие, их здесь нет.", Ends: "Через час эта страница закроется сама.",
		Today: "Сегодня,", Apps: "Приложения сегодня", Looked: "Кто это смотрел", Nobody: "Пока никто.", When: "Последний раз (UTC)", Who: "Кто", What: "Что",
		Zone: "Часовой пояс", Show: "Показать", More: "День на одной картинке: приложения, заголовки, неделя, и что собирается по какому правилу", Export: "Скачать всё, что хранится", Close: "Закрыть эту страницу сейчас",
		OpenTitle: "Открыть свою страницу", How: "На машине, где вы работаете, наберите: trackctl web. Откройте ссылку, которую она напечатает, или вставьте её сюда. Она действует один раз, в течение минуты.",
		Paste: "Ссылка или то, что стоит в ней после #", Open: "Открыть", Tie: "Считать эту учётную запись моей",
		Pictures: "Снимки вашего экрана", Hour: "Самые новые. Снимок можно удалить в течение часа после того, как он пришёл; запись о том, что он был и кто его удалил, останется.",
		Taken: "Снят", Account: "Учётная запись", Picture: "Снимок", Delete: "Удалить", deleted: "удалён", by: ": ",
		kinds: map[string]string{"blurred": "размытый", "readable": "чёткий"},
		Notes: "Ваши пояснения", NotesHow: "Пояснение относится к отрезку вашего времени, например «совещание». Оно стоит рядом с цифрами и ничего в них не меняет. Его может прочитать тот, кому видна ваша учётная запись; ответить могут её руководители.",
		Span: "Когда", Note: "Пояснение", Answer: "Ответ", Day: "День", From: "С", To: "До", Keep: "Сохранить пояснение",
		active: "Активность", idle: "Без ввода", first: "Первая активность", last: "Последняя активность", keys: "Нажатия клавиш", clicks: "Щелчки", scroll: "Шаги прокрутки", distance: "Путь указателя", none: "нет",
		user: "пользователь", token: "программа с токеном", self: "тот, кто открыл ссылку этой учётной записи", command: "команда на сервере, номер пользователя", server: "сервер",
		refusals: map[api.Code]string{
			api.CodeBadLink: "Эта ссылка неизвестна, использована или устарела. Сделайте другую: trackctl web.",
			api.CodeSelfOff: "Ваша организация отключила эти страницы.", api.CodeUnauthorized: "Ваша организация отключила эти страницы.",
			api.CodeLoggedIn:     "Вы вошли как пользователь. Считать эту учётную запись вашей?",
			api.CodeOtherPerson:  "Это учётная запись другого человека; изменить это может администратор.",
			api.CodeRateLimited:  "Слишком много неудачных попыток. Подождите немного и попробуйте снова.",
			api.CodeNoTLS:        "Ссылки принимаются только по https.",
			api.CodeForbidden:    "Об этом попросила страница другого сайта; ничего не сделано.",
			api.CodeTooLate:      "Снимок пришёл больше часа назад; удалить его здесь уже нельзя.",
			api.CodeBadRequest:   "Пояснению нужны начало и более поздний конец - не раньше, чем хранятся цифры, и не позже завтрашнего дня - и текст от 1 до 500 знаков.",
			api.CodeTooManyNotes: "Пояснений за этот день или всего уже столько, сколько может быть. Сначала удалите одно.",
			api.CodeNoteAnswered: "На пояснение ответили: оно останется как есть.",
			api.CodeErased:       "То, что было известно об этом времени, стёрто: пояснять нечего.",
			api.CodeNotFound:     "Вы вошли как пользователь, но ни одна учётная запись не указана как ваша.",
		},
		failed: "Не получилось. Попробуйте позже.",
	}
}

// wordsFor returns the words in the first of the languages that a browser asks for and that
// there is.
func wordsFor(accepted string) *words {
	for _, one := range strings.Split(accepted, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(one), ";")
		switch primary, _, _ := strings.Cut(strings.ToLower(tag), "-"); primary {
		case "ru":
			return russian()
		case "en":
			return english()
		}
	}
	return english()
}

// reader returns who looked.
func (w *words) reader(a *api.Access) string {
	return w.somebody(a.ReaderKind, cmp.Or(a.ReaderName, a.ReaderID))
}

// deleter returns who deleted a picture.
func (w *words) deleter(by string) string {
	kind, id, _ := strings.Cut(by, " ")
	return w.somebody(kind, id)
}

func (w *words) somebody(kind, name string) string {
	words := map[string]string{"user": w.user, "token": w.token, "self": w.self, "command": w.command}
	return strings.TrimSpace(cmp.Or(words[kind], kind) + " " + name)
}
