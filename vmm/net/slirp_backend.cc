// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/net/slirp_backend.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <slirp/libslirp.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <type_traits>

namespace crosswalk::vmm {
namespace {

constexpr int64_t kNever = -1;

int64_t now_nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}
int64_t now_milliseconds() { return now_nanoseconds() / 1'000'000; }

constexpr std::pair<int, short> kEvents[] = {{SLIRP_POLL_IN, POLLIN},
                                             {SLIRP_POLL_OUT, POLLOUT},
                                             {SLIRP_POLL_PRI, POLLPRI},
                                             {SLIRP_POLL_ERR, POLLERR},
                                             {SLIRP_POLL_HUP, POLLHUP}};

// libslirp and what it needs are mapped only where there is a network: each mapping of the process
// makes those that an entry of a window costs dearer.
struct Library {
  decltype(&slirp_new) make;
  decltype(&slirp_cleanup) cleanup;
  decltype(&slirp_add_hostfwd) add_forward;
  decltype(&slirp_input) input;
  decltype(&slirp_pollfds_fill) fill;
  decltype(&slirp_pollfds_poll) poll;
  decltype(&slirp_handle_timer) handle_timer;
};
Library library;

Result<bool> load_library() {
  constexpr const char* kName = "libslirp.so.0";
  void* const handle = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(handle ? dlsym(handle, name) : nullptr);
    return function != nullptr;
  };
  if (find("slirp_new", library.make) && find("slirp_cleanup", library.cleanup) &&
      find("slirp_add_hostfwd", library.add_forward) && find("slirp_input", library.input) &&
      find("slirp_pollfds_fill", library.fill) && find("slirp_pollfds_poll", library.poll) &&
      find("slirp_handle_timer", library.handle_timer))
    return true;
  return Error{std::string("--net user: cannot load ") + kName + ": " + dlerror() + "; install it (Debian: libslirp0)"};
}

in_addr ipv4(const char* text) {
  in_addr address{};
  inet_pton(AF_INET, text, &address);
  return address;
}

in6_addr ipv6(const char* text) {
  in6_addr address{};
  inet_pton(AF_INET6, text, &address);
  return address;
}

}  // namespace

struct SlirpBackend::Calls {
  static SlirpBackend& self(void* opaque) { return *static_cast<SlirpBackend*>(opaque); }

  static ssize_t send_packet(const void* frame, size_t bytes, void* opaque) {
    if (NetSink* const sink = self(opaque).sink_) sink->receive(0, {}, {static_cast<const uint8_t*>(frame), bytes});
    return static_cast<ssize_t>(bytes);
  }
  // What a guest does wrong is its own affair.
  static void guest_error(const char*, void*) {}
  static int64_t clock(void*) { return now_nanoseconds(); }
  static void* timer_new(SlirpTimerId id, void* owner, void* opaque) {
    return self(opaque).timers_.emplace_back(std::make_unique<Timer>(Timer{id, owner, kNever})).get();
  }
  static void timer_free(void* timer, void* opaque) {
    std::erase_if(self(opaque).timers_, [timer](const auto& each) { return each.get() == timer; });
  }
  static void timer_mod(void* timer, int64_t expires, void*) { static_cast<Timer*>(timer)->expires = expires; }
  // All sockets are asked for before each wait, which takes place on the thread that calls here.
  static void poll_fd(int, void*) {}
  static void notify(void*) {}
  static void init_completed(Slirp*, void*) {}

  static int add_poll(int fd, int events, void* opaque) {
    SlirpBackend& backend = self(opaque);
    pollfd entry{fd, 0, 0};
    for (const auto& [theirs, ours] : kEvents) {
      if (events & theirs) entry.events = static_cast<short>(entry.events | ours);
    }
    backend.filled_->push_back(entry);
    return static_cast<int>(backend.filled_->size() - backend.first_) - 1;
  }
  static int get_revents(int index, void* opaque) {
    const auto polled = self(opaque).polled_;
    if (index < 0 || static_cast<size_t>(index) >= polled.size()) return 0;
    int events = 0;
    for (const auto& [theirs, ours] : kEvents) {
      if (polled[static_cast<size_t>(index)].revents & ours) events |= theirs;
    }
    return events;
  }

  static constexpr SlirpCb kTable = {
      .send_packet = send_packet,
      .guest_error = guest_error,
      .clock_get_ns = clock,
      .timer_new = nullptr,
      .timer_free = timer_free,
      .timer_mod = timer_mod,
      .register_poll_fd = poll_fd,
      .unregister_poll_fd = poll_fd,
      .notify = notify,
      .init_completed = init_completed,
      .timer_new_opaque = timer_new,
  };
};

Result<std::unique_ptr<NetBackend>> SlirpBackend::open(const NetConfig& config) {
  if (auto loaded = load_library(); !loaded) return loaded.take_error();
  std::unique_ptr<SlirpBackend> backend(new SlirpBackend);
  SlirpConfig slirp{};
  slirp.version = 4;
  slirp.restricted = config.restricted;
  slirp.in_enabled = slirp.in6_enabled = true;
  slirp.vnetwork = ipv4("10.0.2.0");
  slirp.vnetmask = ipv4("255.255.255.0");
  slirp.vhost = ipv4("10.0.2.2");
  slirp.vnameserver = ipv4("10.0.2.3");
  slirp.vdhcp_start = ipv4("10.0.2.15");
  slirp.vprefix_addr6 = ipv6("fec0::");
  slirp.vprefix_len = 64;
  slirp.vhost6 = ipv6("fec0::2");
  slirp.vnameserver6 = ipv6("fec0::3");
  if (!config.tftp.empty()) slirp.tftp_path = config.tftp.c_str();
  if (!config.bootfile.empty()) slirp.bootfile = config.bootfile.c_str();
  backend->slirp_ = library.make(&slirp, &Calls::kTable, backend.get());
  if (!backend->slirp_) return Error{"--net user: libslirp cannot make a network; update it (Debian: libslirp0)"};
  for (const HostForward& forward : config.forwards) {
    errno = 0;
    if (library.add_forward(backend->slirp_, forward.udp, forward.host, forward.host_port, forward.guest,
                            forward.guest_port) == 0)
      continue;
    const int error = errno;
    const char* const advice = error == EADDRINUSE      ? "give another port of the host"
                               : error == EACCES        ? "give a port of the host from 1024 on"
                               : error == EADDRNOTAVAIL ? "give an address of this host, or none for all"
                                                        : "give another address or port";
    return Error{"--net: hostfwd=" + forward.text + ": cannot listen there: " + std::strerror(error) + "; " + advice};
  }
  return std::unique_ptr<NetBackend>(std::move(backend));
}

SlirpBackend::~SlirpBackend() {
  sink_ = nullptr;
  if (slirp_) library.cleanup(slirp_);
}

bool SlirpBackend::send(unsigned, const NetHeader&, std::span<const uint8_t> frame) {
  library.input(slirp_, frame.data(), static_cast<int>(frame.size()));
  return true;
}

void SlirpBackend::fill(std::vector<pollfd>& fds, int& timeout) {
  uint32_t wait = UINT32_MAX;
  filled_ = &fds;
  first_ = fds.size();
  library.fill(slirp_, &wait, Calls::add_poll, this);
  filled_ = nullptr;
  int64_t earliest = wait == UINT32_MAX ? INT64_MAX : int64_t{wait};
  for (const auto& timer : timers_) {
    if (timer->expires >= 0) earliest = std::min(earliest, std::max<int64_t>(timer->expires - now_milliseconds(), 0));
  }
  if (earliest == INT64_MAX) return;
  const int milliseconds = static_cast<int>(std::min<int64_t>(earliest, INT_MAX));
  if (timeout < 0 || milliseconds < timeout) timeout = milliseconds;
}

void SlirpBackend::ready(std::span<const pollfd> fds) {
  polled_ = fds;
  library.poll(slirp_, 0, Calls::get_revents, this);
  polled_ = {};
  fire_timers();
}

void SlirpBackend::fire_timers() {
  const int64_t now = now_milliseconds();
  // A timer that fires is mostly set again.
  for (size_t i = 0; i < timers_.size(); ++i) {
    Timer& timer = *timers_[i];
    if (timer.expires < 0 || timer.expires > now) continue;
    timer.expires = kNever;
    library.handle_timer(slirp_, static_cast<SlirpTimerId>(timer.id), timer.owner);
  }
}

}  // namespace crosswalk::vmm
