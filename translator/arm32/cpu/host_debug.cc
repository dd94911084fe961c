// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/host_debug.h"

#include <algorithm>

namespace crosswalk::arm {
namespace {

constexpr uint8_t kAllPrivileges = 3;

// Only the first of several is reported; the others match again when the CPU goes on.
void stop(CpuState& cpu, const HostHit& hit) {
  if (cpu.host_debug->hit.stop != HostStop::None) return;
  cpu.host_debug->hit = hit;
  raise_line(cpu, kLineWork);
}

// Distinct ones; true: more than BreakPages has room for.
bool too_many_pages(const HostDebug& debug) {
  BreakPages pages;
  add_host_points(debug, pages);
  return pages.everywhere != 0;
}

}  // namespace

void add_host_points(const HostDebug& debug, BreakPages& pages) {
  if (debug.step != HostDebug::Step::Off) pages.everywhere = kAllPrivileges;
  const uint32_t before = pages.count;
  for (const uint32_t va : debug.points.breakpoints) {
    const uint32_t page = va >> 12;
    uint32_t i = 0;
    while (i < pages.count && pages.page[i] != page) i++;
    if (i == pages.count && pages.count - before == kHostBreakPages) {
      pages.everywhere = kAllPrivileges;
      return;
    }
    if (i == pages.count) pages.page[pages.count++] = page;
    pages.privileges[i] = kAllPrivileges;
  }
}

void add_host_points(const HostDebug& debug, Watched& watched) {
  for (const HostWatchpoint& w : debug.points.watchpoints) watched.ranges[watched.count++] = {w.first, w.last};
}

bool host_page_may_stop(const HostDebug& debug, uint32_t va) {
  const auto& breakpoints = debug.points.breakpoints;
  return debug.step != HostDebug::Step::Off ||
         std::ranges::any_of(breakpoints, [va](uint32_t other) { return other >> 12 == va >> 12; }) ||
         (breakpoints.size() > kHostBreakPages && too_many_pages(debug));
}

bool host_stops_at_instruction(CpuState& cpu) {
  HostDebug& debug = *cpu.host_debug;
  const uint32_t pc = cpu.r[15];
  if (debug.step == HostDebug::Step::First && pc == debug.step_pc) {
    debug.step = HostDebug::Step::Behind;
    return false;
  }
  if (std::ranges::find(debug.points.breakpoints, pc) != debug.points.breakpoints.end())
    stop(cpu, {.stop = HostStop::Breakpoint});
  else if (debug.step != HostDebug::Step::Off && pc - debug.step_first >= debug.step_end - debug.step_first)
    stop(cpu, {.stop = HostStop::Step});
  return debug.hit.stop != HostStop::None;
}

bool host_stops_at_access(CpuState& cpu, uint32_t va, uint32_t bytes, bool store) {
  const uint64_t last = uint64_t{va} + bytes - 1;
  for (const HostWatchpoint& w : cpu.host_debug->points.watchpoints) {
    if (!(store ? w.stores : w.loads) || va > w.last || last < w.first) continue;
    const HostStop kind = w.loads && w.stores ? HostStop::LoadOrStore : store ? HostStop::Store : HostStop::Load;
    stop(cpu, {.stop = kind, .address = std::max(va, w.first)});
    return true;
  }
  return false;
}

void host_exception_taken(CpuState& cpu, Exception kind) {
  if (cpu.host_debug->points.catches >> static_cast<unsigned>(kind) & 1)
    stop(cpu, {.stop = HostStop::Caught, .caught = kind});
}

}  // namespace crosswalk::arm
