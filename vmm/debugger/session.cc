// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/debugger/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <sstream>
#include <utility>

#include "vmm/debugger/registers.h"

namespace crosswalk::vmm {
namespace {

// Of a reply, with $, # and the checksum around it.
constexpr size_t kMaxReply = kMaxPacketBytes - 16;
constexpr size_t kMaxBreakpoints = 1000;
constexpr uint64_t kPage = 4096, kVas = uint64_t{1} << 32;

struct CatchRow {
  const char* name;
  arm::Exception kind;
};
constexpr CatchRow kCatches[] = {{"reset", arm::Exception::Reset},
                                 {"undef", arm::Exception::UndefinedInstruction},
                                 {"svc", arm::Exception::SupervisorCall},
                                 {"pabort", arm::Exception::PrefetchAbort},
                                 {"dabort", arm::Exception::DataAbort},
                                 {"irq", arm::Exception::Irq},
                                 {"fiq", arm::Exception::Fiq}};

constexpr uint8_t bit(arm::Exception kind) { return static_cast<uint8_t>(1u << static_cast<unsigned>(kind)); }

constexpr const char* kHelp =
    "help                this list\n"
    "state               the state of each CPU, as Ctrl-A i prints it\n"
    "catch NAME...       stop at these exceptions, at the vector: reset (a CPU that begins anew),\n"
    "                    undef, svc, pabort, dabort, irq, fiq, all; none: at no exception\n"
    "phys on|off         addresses are physical ones, or virtual ones of the CPU\n"
    "quit                end the run, as Ctrl-A x does\n";

std::string number(uint64_t value) { return fmt::format("{:x}", value); }

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

DebugSession::DebugSession(DebugTarget& target) : target_(target) { target_.interrupt(); }

// ---- in and out

std::string DebugSession::receive(std::string_view bytes) {
  while (const auto event = reader_.next(bytes)) {
    switch (event->kind) {
      case PacketReader::Event::Packet:
        if (acknowledges_) out_ += '+';
        if (!running_)
          answer(event->payload);
        else if (waiting_.size() < kWaitingPackets)
          waiting_.push_back(event->payload);
        break;
      case PacketReader::Event::Damaged:
        if (acknowledges_) out_ += '-';
        break;
      case PacketReader::Event::Interrupt:
        if (running_) target_.interrupt();
        break;
      case PacketReader::Event::Repeat: out_ += last_packet_; break;
    }
  }
  return std::exchange(out_, {});
}

std::string DebugSession::stopped(unsigned cpu, const arm::HostHit& hit) {
  running_ = false;
  cpu_ = stopped_cpu_ = cpu;
  hit_ = hit;
  if (hit.stop == arm::HostStop::Caught) {
    const auto* const row = std::ranges::find(kCatches, hit.caught, &CatchRow::kind);
    if (row != std::end(kCatches)) print(fmt::format("CPU {} is caught at an exception: {}\n", cpu, row->name));
  }
  if (std::exchange(reply_due_, false)) send(stop_reply());
  while (!running_ && !waiting_.empty()) {
    const std::string packet = std::move(waiting_.front());
    waiting_.pop_front();
    answer(packet);
  }
  return std::exchange(out_, {});
}

std::string DebugSession::ended(int status) {
  send(fmt::format("W{:02x}", status & 0xff));
  return std::exchange(out_, {});
}

void DebugSession::send(std::string_view payload) {
  last_packet_ = make_packet(payload);
  out_ += last_packet_;
}

void DebugSession::print(const std::string& text) {
  for (size_t at = 0; at < text.size(); at += kMaxReply / 2)
    send("O" + to_hex(std::string_view(text).substr(at, kMaxReply / 2)));
}

// ---- packets

void DebugSession::answer(const std::string& packet) {
  if (packet.empty()) return not_supported();
  const PacketFields fields(std::string_view(packet).substr(1));
  switch (packet.front()) {
    case '?': send(stop_reply()); break;
    case 'g': read_registers(); break;
    case 'G': write_registers(fields); break;
    case 'p': read_register(fields); break;
    case 'P': write_register(fields); break;
    case 'm': read_memory(fields); break;
    case 'M': write_memory(fields, false); break;
    case 'X': write_memory(fields, true); break;
    case 'Z': change_point(fields, true); break;
    case 'z': change_point(fields, false); break;
    case 'c': resume_old(fields, DebugAction::Continue); break;
    case 's': resume_old(fields, DebugAction::Step); break;
    case 'H': select_cpu(fields); break;
    case 'T': {
      PacketFields its = fields;
      const auto id = thread(its);
      ok(id && *id > 0);
      break;
    }
    case 'q': query(fields); break;
    case 'Q': set(fields); break;
    case 'v': v_packet(fields); break;
    case 'D':
      detached_ = true;
      send("OK");
      break;
    case 'k': target_.quit(); break;
    default: not_supported();
  }
}

void DebugSession::query(PacketFields fields) {
  if (fields.take("Supported")) {
    names_breakpoints_ = fields.rest().find("swbreak+") != std::string_view::npos;
    send(fmt::format("PacketSize={:x};qXfer:features:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+",
                     kMaxPacketBytes));
  } else if (fields.take("Xfer:features:read:")) {
    read_description(fields);
  } else if (fields.take("fThreadInfo")) {
    std::string list = "m";
    for (unsigned cpu = 0; cpu < target_.cpu_count(); ++cpu) list += (cpu ? "," : "") + number(cpu + 1);
    send(list);
  } else if (fields.take("sThreadInfo")) {
    send("l");
  } else if (fields.take("ThreadExtraInfo,")) {
    const auto id = thread(fields);
    if (id && *id > 0)
      send(to_hex(target_.describe_cpu(static_cast<unsigned>(*id) - 1)));
    else
      send(kFailed);
  } else if (fields.take("Attached")) {
    send("1");
  } else if (fields.take("Rcmd,")) {
    const auto command = from_hex(fields.rest());
    if (command)
      monitor(*command);
    else
      send(kBadPacket);
  } else if (fields.take("qemu.PhyMemMode")) {
    send(physical_ ? "1" : "0");
  } else if (fields.rest() == "C") {
    send("QC" + number(cpu_ + 1));
  } else {
    not_supported();
  }
}

void DebugSession::set(PacketFields fields) {
  if (fields.take("StartNoAckMode")) {
    send("OK");
    acknowledges_ = false;
  } else if (fields.take("qemu.PhyMemMode:")) {
    const auto value = fields.number();
    if (value) physical_ = *value != 0;
    ok(value.has_value(), kBadPacket);
  } else {
    not_supported();
  }
}

void DebugSession::v_packet(PacketFields fields) {
  if (fields.take("Cont?")) {
    send("vCont;c;C;s;S;r");
  } else if (fields.take("Cont;")) {
    continue_as(fields);
  } else if (fields.take("Kill;")) {
    send("OK");
    target_.quit();
  } else {
    not_supported();
  }
}

// vCont: for each thread the first action that is for it; without one, it stays.
void DebugSession::continue_as(PacketFields fields) {
  std::vector<DebugResume> how(target_.cpu_count(), {.action = DebugAction::Stay});
  std::vector<bool> decided(how.size());
  while (!fields.empty()) {
    PacketFields part(fields.until(';'));
    DebugResume action;
    bool right = true;
    if (part.take("c") || part.take("C")) {
      action.action = DebugAction::Continue;
    } else if (part.take("s") || part.take("S")) {
      action.action = DebugAction::Step;
    } else if (part.take("r")) {
      const auto first = part.number();
      const auto end = part.take(",") ? part.number() : std::nullopt;
      right = first && end && *first <= *end && *end < kVas;
      if (right) action = {DebugAction::Step, static_cast<uint32_t>(*first), static_cast<uint32_t>(*end)};
    } else {
      right = false;
    }
    part.until(':');  // the signal's number: nobody takes signals
    const auto id = part.empty() ? std::optional(-1) : thread(part);
    if (!right || !id) return send(kBadPacket);
    for (size_t cpu = 0; cpu < how.size(); ++cpu) {
      if (decided[cpu] || (*id > 0 && cpu + 1 != static_cast<size_t>(*id))) continue;
      how[cpu] = action;
      decided[cpu] = true;
    }
  }
  go(how);
}

void DebugSession::resume_old(PacketFields fields, DebugAction action) {
  if (!fields.empty()) return send(kBadPacket);  // from another address: GDB writes the PC instead
  std::vector<DebugResume> how(target_.cpu_count());
  if (action == DebugAction::Step) how[step_cpu_.value_or(cpu_)].action = action;
  go(how);
}

void DebugSession::go(const std::vector<DebugResume>& how) {
  running_ = reply_due_ = true;
  hit_ = {};
  target_.set_points(points_);
  target_.resume(how);
}

void DebugSession::select_cpu(PacketFields fields) {
  const bool general = fields.take("g");
  if (!general && !fields.take("c")) return not_supported();
  const auto id = thread(fields);
  if (!id) return send(kFailed);
  if (!general)
    step_cpu_ = *id > 0 ? std::optional(static_cast<unsigned>(*id) - 1) : std::nullopt;
  else if (*id > 0)
    cpu_ = static_cast<unsigned>(*id) - 1;
  send("OK");
}

std::optional<int> DebugSession::thread(PacketFields& fields) const {
  if (fields.take("-1")) return -1;
  const auto id = fields.number();
  if (!id || *id > target_.cpu_count()) return std::nullopt;
  return static_cast<int>(*id);
}

std::string DebugSession::stop_reply() const {
  // SIGINT for those who asked, else SIGTRAP.
  std::string reply = (hit_.stop == arm::HostStop::None ? "T02thread:" : "T05thread:") + number(stopped_cpu_ + 1) + ";";
  const std::string address = ":" + number(hit_.address) + ";";
  switch (hit_.stop) {
    case arm::HostStop::Breakpoint: return names_breakpoints_ ? reply + "swbreak:;" : reply;
    case arm::HostStop::Load: return reply + "rwatch" + address;
    case arm::HostStop::Store: return reply + "watch" + address;
    case arm::HostStop::LoadOrStore: return reply + "awatch" + address;
    case arm::HostStop::Caught:
    case arm::HostStop::Step:
    case arm::HostStop::None: return reply;
  }
  return reply;
}

// ---- registers

void DebugSession::read_registers() {
  std::string values;
  const bool read = target_.with_cpu(cpu_, false, [&](CpuState& cpu) {
    for (unsigned n = 0; n < debugger_general_registers(); ++n) values += read_debugger_register(cpu, n);
  });
  send(read ? to_hex(values) : kFailed);
}

void DebugSession::write_registers(PacketFields fields) {
  const auto values = from_hex(fields.rest());
  size_t expected = 0;
  for (unsigned n = 0; n < debugger_general_registers(); ++n) expected += debugger_register_bytes(n);
  if (!values || values->size() != expected) return send(kBadPacket);
  constexpr unsigned kCpsr = 16;
  bool right = true;
  const bool written = target_.with_cpu(cpu_, true, [&](CpuState& cpu) {
    // The mode decides which registers are meant.
    right = write_debugger_register(cpu, kCpsr, values->substr(size_t{4} * kCpsr, 4));
    size_t at = 0;
    for (unsigned n = 0; right && n < debugger_general_registers(); at += debugger_register_bytes(n), ++n)
      if (n != kCpsr) write_debugger_register(cpu, n, values->substr(at, debugger_register_bytes(n)));
  });
  ok(written && right);
}

void DebugSession::read_register(PacketFields fields) {
  const auto n = fields.number();
  if (!n || *n >= debugger_register_count()) return send(kBadPacket);
  std::string value;
  const bool read = target_.with_cpu(
      cpu_, false, [&](CpuState& cpu) { value = read_debugger_register(cpu, static_cast<unsigned>(*n)); });
  send(read ? to_hex(value) : kFailed);
}

void DebugSession::write_register(PacketFields fields) {
  const auto n = fields.number();
  const auto value = fields.take("=") ? from_hex(fields.rest()) : std::nullopt;
  if (!n || *n >= debugger_register_count() || !value ||
      value->size() != debugger_register_bytes(static_cast<unsigned>(*n)))
    return send(kBadPacket);
  bool right = false;
  const bool written = target_.with_cpu(
      cpu_, true, [&](CpuState& cpu) { right = write_debugger_register(cpu, static_cast<unsigned>(*n), *value); });
  ok(written && right);
}

void DebugSession::read_description(PacketFields fields) {
  if (fields.until(':') != "target.xml") return send("E00");
  const auto offset = fields.number();
  const auto length = fields.take(",") ? fields.number() : std::nullopt;
  if (!offset || !length) return send(kBadPacket);
  const std::string text = target_description();
  if (*offset >= text.size()) return send("l");
  const std::string part = text.substr(*offset, std::min<uint64_t>(*length, kMaxReply / 2));
  send((*offset + part.size() < text.size() ? "m" : "l") + escape(part));
}

// ---- memory

void DebugSession::read_memory(PacketFields fields) {
  const auto address = fields.number();
  const auto length = fields.take(",") ? fields.number() : std::nullopt;
  if (!address || !length) return send(kBadPacket);
  std::vector<uint8_t> bytes(std::min<uint64_t>(*length, kMaxReply / 2));
  // What there is of it, in whole pages.
  size_t done = 0;
  while (done < bytes.size()) {
    const uint64_t at = *address + done;
    const size_t here = std::min<uint64_t>(bytes.size() - done, kPage - at % kPage);
    if ((!physical_ && at >= kVas) || !target_.read_memory(cpu_, at, physical_, std::span(bytes).subspan(done, here)))
      break;
    done += here;
  }
  if (done == 0 && !bytes.empty()) return send(kBadAddress);
  send(to_hex(std::span(bytes).first(done)));
}

void DebugSession::write_memory(PacketFields fields, bool binary) {
  const auto address = fields.number();
  const auto length = fields.take(",") ? fields.number() : std::nullopt;
  if (!address || !length || !fields.take(":")) return send(kBadPacket);
  const auto bytes = binary ? std::optional(unescape(fields.rest())) : from_hex(fields.rest());
  if (!bytes || bytes->size() != *length) return send(kBadPacket);
  if (!physical_ && (*address >= kVas || kVas - *address < *length)) return send(kBadAddress);
  ok(bytes->empty() || target_.write_memory(cpu_, *address, physical_,
                                            {reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}),
     kBadAddress);
}

// ---- break- and watchpoints

void DebugSession::change_point(PacketFields fields, bool insert) {
  const std::string_view type = fields.until(',');
  const auto address = fields.number();
  // Of a breakpoint: the kind of instruction, which does not matter here.
  const uint64_t bytes = fields.take(",") ? fields.number().value_or(0) : 0;
  if (type.size() != 1 || type[0] < '0' || type[0] > '4') return not_supported();
  if (!address || *address >= kVas || bytes == 0 || bytes > kVas - *address) return send(kBadPacket);
  const auto va = static_cast<uint32_t>(*address);
  ok(type[0] <= '1' ? change_breakpoint(va, insert)
                    : change_watchpoint(type[0], va, static_cast<uint32_t>(bytes), insert),
     kNoRoom);
}

bool DebugSession::change_breakpoint(uint32_t address, bool insert) {
  auto& all = points_.breakpoints;
  std::erase(all, address);
  if (insert && all.size() == kMaxBreakpoints) return false;
  if (insert) all.push_back(address);
  return true;
}

bool DebugSession::change_watchpoint(char type, uint32_t address, uint32_t bytes, bool insert) {
  auto& all = points_.watchpoints;
  const arm::HostWatchpoint point{address, address + (bytes - 1), type != '2', type != '3'};
  std::erase_if(all, [&](const arm::HostWatchpoint& other) {
    return other.first == point.first && other.last == point.last && other.loads == point.loads &&
           other.stores == point.stores;
  });
  if (insert && all.size() == arm::kHostWatchpoints) return false;
  if (insert) all.push_back(point);
  return true;
}

// ---- monitor

void DebugSession::monitor(const std::string& command) {
  const std::vector<std::string> words = words_of(command);
  const std::string name = words.empty() ? "help" : words[0];
  if (name == "help") {
    print(kHelp);
  } else if (name == "state") {
    print(target_.describe_state());
  } else if (name == "quit") {
    target_.quit();
  } else if (name == "catch") {
    print(catch_exceptions({words.begin() + 1, words.end()}));
  } else if (name == "phys" && words.size() == 2 && (words[1] == "on" || words[1] == "off")) {
    physical_ = words[1] == "on";
    print(physical_ ? "addresses are physical ones\n" : "addresses are virtual ones\n");
  } else {
    print("monitor: unknown command '" + command + "'; there are:\n" + kHelp);
  }
  send("OK");
}

std::string DebugSession::catch_exceptions(const std::vector<std::string>& names) {
  uint8_t catches = 0;
  for (const std::string& name : names) {
    if (name == "none") continue;
    const auto* const row = std::ranges::find_if(kCatches, [&](const CatchRow& r) { return name == r.name; });
    if (row == std::end(kCatches) && name != "all")
      return "catch: unknown exception '" + name + "'; see monitor help\n";
    for (const CatchRow& other : kCatches)
      if (name == "all" || name == other.name) catches |= bit(other.kind);
  }
  if (!names.empty()) points_.catches = catches;
  std::string list;
  for (const CatchRow& row : kCatches)
    if (points_.catches & bit(row.kind)) list += std::string(" ") + row.name;
  return list.empty() ? "stops at no exception\n" : "stops at" + list + "\n";
}

}  // namespace crosswalk::vmm
