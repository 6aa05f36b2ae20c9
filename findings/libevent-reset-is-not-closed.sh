#!/usr/bin/env bash
# libevent 2.1.12 (epoll): a peer's reset is not reported as EV_CLOSED.
#
# A program that watches EV_CLOSED to learn that a peer is gone is told of an orderly end (FIN), and not of a reset: the kernel says
# EPOLLIN|EPOLLRDHUP|EPOLLERR|EPOLLHUP then, and libevent turns whatever holds EPOLLERR into EV_READ|EV_WRITE alone. Who asked for
# EV_CLOSED only is never called. So a reset has to be looked for behind EV_READ or EV_WRITE, whatever the flow control says.
#
# Seen with Debian's libevent-dev 2.1.12-stable-8+deb12u1:
#   FIN:   EV_CLOSED|EV_READ|EV_WRITE told to an event of EV_CLOSED|EV_READ|EV_WRITE
#   reset:           EV_READ|EV_WRITE told to the same event
#   FIN:   EV_CLOSED told to an event of EV_CLOSED
#   reset: nothing told to an event of EV_CLOSED
#
# Installs the package into a temporary folder, needs a C compiler. Exits 0 while this is so.
set -euo pipefail
version=2.1.12-stable-8+deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "libevent-dev=$version" "libevent-core-2.1-7=$version" >download.log 2>&1 || {
  cat download.log
  exit 1
}
for package in ./*.deb; do dpkg -x "$package" root; done
triplet=$(gcc -print-multiarch)

cat >watch.c <<'C'
#include <arpa/inet.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static short told;

static void onEvent(evutil_socket_t fd, short events, void* unused) {
  (void)fd, (void)unused;
  told |= events;
}

// What an event that asks for `interest` is told within 300 ms of the peer's end.
static void look(short interest, int reset) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr*)&address, size);
  listen(listener, 1);
  getsockname(listener, (struct sockaddr*)&address, &size);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  connect(client, (struct sockaddr*)&address, size);
  int server = accept(listener, NULL, NULL);

  struct event_config* config = event_config_new();
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  struct event_base* base = event_base_new_with_config(config);
  struct event* watch = event_new(base, server, interest | EV_ET | EV_PERSIST, onEvent, NULL);
  event_add(watch, NULL);
  event_base_loop(base, EVLOOP_NONBLOCK);  // writable, from the start
  told = 0;

  if (reset) setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  close(client);
  struct timeval patience = {0, 300000};
  event_base_loopexit(base, &patience);
  event_base_loop(base, 0);

  printf("%s, asked for%s%s: told%s%s%s%s\n", reset ? "reset" : "FIN", interest & EV_CLOSED ? " closed" : "",
         interest & EV_READ ? " read write" : "", told & EV_CLOSED ? " closed" : "", told & EV_READ ? " read" : "",
         told & EV_WRITE ? " write" : "", told ? "" : " nothing");
  event_free(watch);
  event_base_free(base);
  event_config_free(config);
  close(server);
  close(listener);
}

int main(void) {
  look(EV_CLOSED | EV_READ | EV_WRITE, 0);
  look(EV_CLOSED | EV_READ | EV_WRITE, 1);
  look(EV_CLOSED, 0);
  look(EV_CLOSED, 1);
  return 0;
}
C
gcc -O1 -Iroot/usr/include -I"root/usr/include/$triplet" watch.c -o watch -l:libevent_core-2.1.so.7 -L"root/usr/lib/$triplet"
LD_LIBRARY_PATH="$work/root/usr/lib/$triplet" ./watch | tee seen
diff - seen <<'SEEN'
FIN, asked for closed read write: told closed read write
reset, asked for closed read write: told read write
FIN, asked for closed: told closed
reset, asked for closed: told nothing
SEEN
