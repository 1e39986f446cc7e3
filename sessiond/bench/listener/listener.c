/* The least that a program can do to see raw input: it selects XInput2's raw
 * events and counts them, as they come. The benchmark runs it beside sessiond,
 * as a measure that does not depend on the machine. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xcb/xcb.h>
#include <xcb/xinput.h>

static volatile unsigned long events;

static void finish(int sig)
{
	char line[32];
	int n = snprintf(line, sizeof line, "%lu\n", events);
	(void)sig;
	_exit(write(STDOUT_FILENO, line, n) != n);
}

int main(void)
{
	struct {
		xcb_input_event_mask_t head;
		uint32_t mask;
	} select = {
		{ XCB_INPUT_DEVICE_ALL_MASTER, 1 },
		XCB_INPUT_XI_EVENT_MASK_RAW_KEY_PRESS | XCB_INPUT_XI_EVENT_MASK_RAW_BUTTON_PRESS |
			XCB_INPUT_XI_EVENT_MASK_RAW_MOTION,
	};
	xcb_connection_t *c = xcb_connect(NULL, NULL);
	xcb_generic_event_t *event;

	if (xcb_connection_has_error(c))
		return 1;
	signal(SIGTERM, finish);
	free(xcb_input_xi_query_version_reply(c, xcb_input_xi_query_version(c, 2, 1), NULL));
	xcb_input_xi_select_events(c, xcb_setup_roots_iterator(xcb_get_setup(c)).data->root, 1, &select.head);
	xcb_flush(c);
	while ((event = xcb_wait_for_event(c))) {
		if (event->response_type == XCB_GE_GENERIC)
			events++;
		free(event);
	}
	return 0;
}
