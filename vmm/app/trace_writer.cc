// SPDX-License-Identifier: GPL-2.0-or-later
// The format: "Trace Event Format", Google; durations are complete events (X), moments instant
// events (i).
#include "vmm/app/trace_writer.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/exceptions.h"
#include "vmm/world/kvm/kvm_world.h"

namespace crosswalk::vmm {
namespace {

using trace::Event;
using trace::Kind;

constexpr size_t kFlushBytes = 1 << 20;
// Numbers of tracks.
int cpu_track(size_t cpu) { return static_cast<int>(2 * cpu) + 1; }
int space_track(size_t cpu) { return static_cast<int>(2 * cpu) + 2; }

const char* outcome_name(uint32_t outcome) {
  switch (static_cast<mmu::FaultOutcome>(outcome)) {
    case mmu::FaultOutcome::Installed: return "installed";
    case mmu::FaultOutcome::GuestFault: return "guest fault";
    case mmu::FaultOutcome::Device: return "device";
    case mmu::FaultOutcome::CodeWrite: return "write to code";
    case mmu::FaultOutcome::Split: return "split";
    case mmu::FaultOutcome::Once: return "once";
    case mmu::FaultOutcome::BesideCode: return "beside code";
  }
  return "?";
}

const char* flush_name(uint32_t kind) {
  switch (static_cast<trace::FlushKind>(kind)) {
    case trace::FlushKind::All: return "all";
    case trace::FlushKind::Asid: return "by ASID";
    case trace::FlushKind::Mva: return "by address";
    case trace::FlushKind::MvaAllAsids: return "by address, all ASIDs";
    case trace::FlushKind::Deferred: return "deferred";
  }
  return "?";
}

const char* exception_name(uint32_t kind) {
  switch (static_cast<arm::Exception>(kind)) {
    case arm::Exception::Reset: return "Reset";
    case arm::Exception::UndefinedInstruction: return "Undefined Instruction";
    case arm::Exception::SupervisorCall: return "Supervisor Call";
    case arm::Exception::PrefetchAbort: return "Prefetch Abort";
    case arm::Exception::DataAbort: return "Data Abort";
    case arm::Exception::Irq: return "IRQ";
    case arm::Exception::Fiq: return "FIQ";
  }
  return "?";
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

class Writer {
 public:
  Writer(FILE* file, const ClockPair& start, const ClockPair& end, const SymbolTable* symbols)
      : file_(file),
        pid_(getpid()),
        start_(start.tsc),
        nanoseconds_per_tick_(static_cast<double>(end.nanoseconds - start.nanoseconds) /
                              static_cast<double>(end.tsc - start.tsc)),
        symbols_(symbols) {}

  void header(std::span<const trace::Ring* const> rings, const TraceDescription& description) {
    uint64_t events = 0, dropped = 0;
    for (const trace::Ring* ring : rings) {
      events += ring->size();
      dropped += ring->dropped();
    }
    text("{{\"displayTimeUnit\":\"ns\",\"otherData\":{{");
    for (const auto& [name, value] : description.facts) text("{}:{},", quoted(name), quoted(value));
    text("\"events\":{},\"dropped events\":{},\"TSC MHz\":{:.3f}}},\n\"traceEvents\":[\n", events, dropped,
         1000 / nanoseconds_per_tick_);
    for (size_t cpu = 0; cpu < rings.size(); cpu++) {
      name_track(cpu_track(cpu), fmt::format("CPU {}", cpu));
      name_track(space_track(cpu), fmt::format("CPU {}: address space", cpu));
    }
    metadata("process_name", cpu_track(0), "name", quoted(description.process));
  }

  void event(size_t cpu, const Event& e) {
    const int track = e.kind == Kind::AddressSpace ? space_track(cpu) : cpu_track(cpu);
    // Whole nanoseconds for both ends: what is nested in ticks stays nested.
    const uint64_t begin = nanoseconds(e.start), end = nanoseconds(e.end);
    text(",\n{{\"pid\":{},\"tid\":{},\"ts\":{}.{:03}", pid_, track, begin / 1000, begin % 1000);
    switch (e.kind) {
      case Kind::Exception:
      case Kind::CodeInvalidation:
      case Kind::WindowFill:
      case Kind::CacheClear: text(",\"ph\":\"i\",\"s\":\"t\""); break;
      default: text(",\"ph\":\"X\",\"dur\":{}.{:03}", (end - begin) / 1000, (end - begin) % 1000); break;
    }
    describe(e);
    text("\"asid\":{}}}}}", e.asid);
  }
  void footer() { text("\n]}}\n"); }

  // False when writing failed at any time; errno says why.
  bool finish() {
    write_out();
    return error_ == 0 || (errno = error_, false);
  }

 private:
  // Name, category and what is special to the kind.
  void describe(const Event& e) {
    switch (e.kind) {
      case Kind::WindowFault:
        name("fault", "window fault: {}", outcome_name(e.c));
        text("\"va\":\"0x{:08x}\",\"access\":\"{}\",", e.a, e.d ? "store" : "load");
        pc(e.b);
        break;
      case Kind::WindowFill:
        name("fault", "filled by the kernel module");
        text("\"faults\":{},\"pages\":{},", e.a, e.b);
        break;
      case Kind::Flush: flush(e); break;
      case Kind::Prefill:
        name("fault", "prefill");
        text("\"pages\":{},", e.a);
        break;
      case Kind::FormChange:
        name("space", "hybrid: {}", e.c ? "promoted" : "demoted");
        text("\"pages\":{},", e.a);
        break;
      case Kind::AddressSpace:
        name("space", "ASID {} {}", e.asid, e.c ? "privileged" : "user");
        text("\"space\":\"0x{:x}\",", e.a);
        break;
      case Kind::VmExit: exit(e); break;
      case Kind::Exception: exception(e); break;
      case Kind::Translation:
        name("translation", "translate");
        text("\"pa\":\"0x{:x}\",\"thumb\":{},\"instructions\":{},\"bytes\":{},\"host bytes\":{},", e.b, e.a & 1,
             e.counts[0], e.counts[1], e.counts[2]);
        pc(e.a & ~uint64_t{1});
        break;
      case Kind::CodeInvalidation:
        name("translation", "code invalidated");
        text("\"pa\":\"0x{:x}\",\"blocks\":{},", e.a, e.b);
        break;
      case Kind::CacheClear:
        name("translation", "room in the code cache");
        text("\"blocks\":{},", e.a);
        break;
      case Kind::DeviceRead:
      case Kind::DeviceWrite:
        name("device", "device {}", e.kind == Kind::DeviceRead ? "read" : "write");
        text("\"pa\":\"0x{:x}\",\"value\":\"0x{:x}\",\"bytes\":{},\"answered\":{},", e.a, e.b, e.c, e.d == 0);
        break;
      case Kind::Wait:
        name("wait", "wait for interrupt");
        pc(e.a);
        break;
      case Kind::Count: break;
    }
  }
  void flush(const Event& e) {
    const auto kind = static_cast<trace::FlushKind>(e.c);
    name("flush", "flush: {}", flush_name(e.c));
    if (kind == trace::FlushKind::Mva || kind == trace::FlushKind::MvaAllAsids) text("\"va\":\"0x{:08x}\",", e.a);
    if (kind == trace::FlushKind::Mva || kind == trace::FlushKind::Asid) text("\"flushed asid\":{},", e.b);
    text("\"removed\":{},\"kept\":{},\"rewritten\":{},", e.counts[0], e.counts[1], e.counts[2]);
  }
  void exit(const Event& e) {
    const auto reason = static_cast<kvm::ExitReason>(e.c);
    name("exit", "exit: {}", kvm::name_of(reason));
    if (reason == kvm::ExitReason::SystemCall)
      text("\"number\":{},", e.a);
    else
      text("\"detail\":\"0x{:x}\",", e.a);
  }
  void exception(const Event& e) {
    const auto kind = static_cast<arm::Exception>(e.c);
    name("exception", "exception: {}", exception_name(e.c));
    if (kind == arm::Exception::DataAbort || kind == arm::Exception::PrefetchAbort)
      text("\"far\":\"0x{:08x}\",\"fsr\":\"0x{:x}\",", e.b, e.d);
    pc(e.a);
  }

  template <class... Arguments>
  void text(fmt::format_string<const Arguments&...> format, const Arguments&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, arguments...);
    if (buffer_.size() >= kFlushBytes) write_out();
  }
  template <class... Arguments>
  void name(const char* category, fmt::format_string<const Arguments&...> format, const Arguments&... arguments) {
    text(",\"cat\":\"{}\",\"name\":\"", category);
    text(format, arguments...);
    text("\",\"args\":{{");
  }
  void name_track(int track, const std::string& name) {
    metadata("thread_name", track, "name", quoted(name));
    text(",\n");
    metadata("thread_sort_index", track, "sort_index", std::to_string(track));
    text(",\n");
  }
  void metadata(const char* what, int track, const char* key, const std::string& value) {
    text("{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"{}\",\"args\":{{\"{}\":{}}}}}", pid_, track, what, key,
         value);
  }
  void pc(uint64_t va) {
    text("\"pc\":\"0x{:08x}\",", va);
    if (!symbols_) return;
    if (const std::string function = symbols_->describe(static_cast<uint32_t>(va)); !function.empty())
      text("\"function\":{},", quoted(function));
  }
  uint64_t nanoseconds(uint64_t tsc) const {
    return tsc > start_ ? static_cast<uint64_t>(static_cast<double>(tsc - start_) * nanoseconds_per_tick_) : 0;
  }
  void write_out() {
    if (error_ == 0 && std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size()) error_ = errno;
    buffer_.clear();
  }

  FILE* const file_;
  const int pid_;
  const uint64_t start_;
  const double nanoseconds_per_tick_;
  const SymbolTable* const symbols_;
  fmt::memory_buffer buffer_;
  int error_ = 0;
};

}  // namespace

ClockPair ClockPair::now() {
  // The reading of CLOCK_MONOTONIC with the fewest ticks around it: the thread may be preempted in
  // between.
  ClockPair best;
  uint64_t shortest = UINT64_MAX;
  for (int attempt = 0; attempt < 5; attempt++) {
    timespec time;
    const uint64_t before = trace::ticks();
    clock_gettime(CLOCK_MONOTONIC, &time);
    const uint64_t after = trace::ticks();
    if (after - before >= shortest) continue;
    shortest = after - before;
    best = {before + (after - before) / 2,
            static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec)};
  }
  return best;
}

Result<std::unique_ptr<TraceBuffer>> TraceBuffer::create(uint64_t events) {
  std::unique_ptr<TraceBuffer> buffer(new TraceBuffer);
  buffer->bytes_ = events * sizeof(Event);
  void* const memory = mmap(nullptr, buffer->bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Error{fmt::format("--trace-events: no memory for {} events of {} bytes; give fewer", events, sizeof(Event))};
  }
  buffer->storage_ = static_cast<Event*>(memory);
  madvise(memory, buffer->bytes_, MADV_HUGEPAGE);  // advice: where there are none, small pages do
  std::memset(memory, 0, buffer->bytes_);
  buffer->ring_ = std::make_unique<trace::Ring>(buffer->storage_, events);
  buffer->start_ = ClockPair::now();
  return buffer;
}

TraceBuffer::~TraceBuffer() {
  if (storage_) munmap(storage_, bytes_);
}

Result<bool> write_trace(OutputFile& file, std::span<const trace::Ring* const> rings, const ClockPair& start,
                         const ClockPair& end, const TraceDescription& description) {
  Writer writer(file.stream(), start, end, description.symbols);
  writer.header(rings, description);
  for (size_t cpu = 0; cpu < rings.size(); cpu++) {
    const trace::Ring& ring = *rings[cpu];
    // The ring has them by their ends. Of events that begin together, the outer one goes first.
    std::vector<uint32_t> order(ring.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const Event &x = ring[a], &y = ring[b];
      return x.start != y.start ? x.start < y.start : x.end > y.end;
    });
    for (const uint32_t i : order) writer.event(cpu, ring[i]);
  }
  writer.footer();
  return file.finish(writer.finish());
}

}  // namespace crosswalk::vmm
