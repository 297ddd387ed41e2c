// What systemd says to a service, and wants to hear; without its library (sd_listen_fds(3), sd_notify(3)).

#pragma once

namespace edgeshrink {

// The listening socket that was handed over, -1 where there is none. Failure where it is not the one that is wanted.
int passed_socket();

// "READY=1" and the like, to NOTIFY_SOCKET; nothing where nobody wants to hear it.
void notify(const char * state);

}  // namespace edgeshrink
