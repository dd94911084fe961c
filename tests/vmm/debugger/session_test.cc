// SPDX-License-Identifier: GPL-2.0-or-later
// A session with a made-up machine: what GDB sends and what it gets.
#include "vmm/debugger/session.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "translator/arm32/cpu/reset.h"
#include "vmm/debugger/registers.h"

namespace crosswalk::vmm {
namespace {

class FakeTarget final : public DebugTarget {
 public:
  explicit FakeTarget(unsigned cpus) : cpus_(cpus), memory(0x3000) {
    for (unsigned i = 0; i < cpus; ++i) {
      arm::reset_cpu(cpus_[i], arm::CpuModel::CortexA15, i, cpus);
    }
  }
  unsigned cpu_count() const override { return static_cast<unsigned>(cpus_.size()); }
  std::string describe_cpu(unsigned cpu) override { return "CPU " + std::to_string(cpu); }
  void interrupt() override { interrupts++; }
  void resume(const std::vector<DebugResume>& how) override { resumed = how; }
  bool with_cpu(unsigned cpu, bool writes, const std::function<void(CpuState&)>& work) override {
    if (!answers) return false;
    work(cpus_[cpu]);
    writes_done += writes;
    return true;
  }
  // A VA is one more page than its PA.
  bool read_memory(unsigned, uint64_t address, bool physical, std::span<uint8_t> to) override {
    const uint64_t pa = physical ? address : address - 0x1000;
    if (pa > memory.size() || to.size() > memory.size() - pa) return false;
    std::memcpy(to.data(), &memory[pa], to.size());
    return true;
  }
  bool write_memory(unsigned, uint64_t address, bool physical, std::span<const uint8_t> from) override {
    const uint64_t pa = physical ? address : address - 0x1000;
    if (pa > memory.size() || from.size() > memory.size() - pa) return false;
    std::memcpy(&memory[pa], from.data(), from.size());
    return true;
  }
  void set_points(const arm::HostPoints& now) override { points = now; }
  std::string describe_state() override { return "the state\n"; }
  void quit() override { quits++; }

  CpuState& cpu(unsigned index) { return cpus_[index]; }

  int interrupts = 0, quits = 0, writes_done = 0;
  bool answers = true;
  std::vector<DebugResume> resumed;
  arm::HostPoints points;

 private:
  std::vector<CpuState> cpus_;

 public:
  std::vector<uint8_t> memory;
};

class DebugSessionTest : public testing::Test {
 protected:
  void SetUp() override { session_.stopped(0, {}); }

  // The payloads that come back, without acknowledgements.
  static std::vector<std::string> payloads(const std::string& bytes) {
    std::vector<std::string> found;
    PacketReader reader;
    std::string_view rest = bytes;
    while (const auto event = reader.next(rest))
      if (event->kind == PacketReader::Event::Packet) found.push_back(event->payload);
    return found;
  }
  std::string ask(const std::string& payload) {
    const auto replies = payloads(session_.receive(make_packet(payload)));
    return replies.size() == 1 ? replies[0] : "(" + std::to_string(replies.size()) + " replies)";
  }
  // What `monitor` prints.
  std::string monitor(const std::string& command) {
    std::string text;
    for (const std::string& reply :
         payloads(session_.receive(make_packet("qRcmd," + to_hex(std::string_view(command))))))
      if (reply.starts_with("O") && reply != "OK") text += from_hex(reply.substr(1)).value_or("?");
    return text;
  }

  FakeTarget target_{2};
  DebugSession session_{target_};
};

TEST_F(DebugSessionTest, ConnectingStopsTheCpus) {
  FakeTarget target(1);
  DebugSession session(target);
  EXPECT_EQ(target.interrupts, 1);
  EXPECT_EQ(session.receive(make_packet("?")), "+");
  EXPECT_EQ(payloads(session.stopped(0, {})), std::vector<std::string>{"T02thread:1;"});
}

TEST_F(DebugSessionTest, Acknowledgements) {
  EXPECT_EQ(session_.receive("$qC#b4"), "+" + make_packet("QC1"));
  EXPECT_EQ(session_.receive("-"), make_packet("QC1"));
  EXPECT_EQ(session_.receive("$qC#b5"), "-");
  EXPECT_EQ(session_.receive(make_packet("QStartNoAckMode")), "+" + make_packet("OK"));
  EXPECT_EQ(session_.receive("$qC#b4"), make_packet("QC1"));
  EXPECT_EQ(session_.receive("$qC#b5"), "");
}

TEST_F(DebugSessionTest, Queries) {
  EXPECT_NE(ask("qSupported:swbreak+").find("qXfer:features:read+"), std::string::npos);
  EXPECT_EQ(ask("qAttached"), "1");
  EXPECT_EQ(ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(ask("qsThreadInfo"), "l");
  EXPECT_EQ(from_hex(ask("qThreadExtraInfo,2")), "CPU 1");
  EXPECT_EQ(ask("qThreadExtraInfo,3"), "E01");
  EXPECT_EQ(ask("T2"), "OK");
  EXPECT_EQ(ask("T3"), "E01");
  EXPECT_EQ(ask("vMustReplyEmpty"), "");
  EXPECT_EQ(ask("qNothing"), "");
  EXPECT_EQ(ask("vCont?"), "vCont;c;C;s;S;r");
}

TEST_F(DebugSessionTest, DescriptionInParts) {
  EXPECT_EQ(ask("qXfer:features:read:target.xml:0,0"), "m");
  std::string text;
  char request[64];
  for (std::string part; part.empty() || part[0] == 'm'; text += part.substr(1)) {
    std::snprintf(request, sizeof request, "qXfer:features:read:target.xml:%zx,100", text.size());
    part = ask(request);
    ASSERT_TRUE(part[0] == 'm' || part[0] == 'l');
  }
  EXPECT_EQ(text, target_description());
  EXPECT_EQ(ask("qXfer:features:read:other.xml:0,100"), "E00");
}

TEST_F(DebugSessionTest, Registers) {
  target_.cpu(0).r[0] = 0x12345678;
  target_.cpu(0).vreg[8] = 0xab;
  EXPECT_EQ(ask("p0"), "78563412");
  EXPECT_EQ(ask("p12"), "ab00000000000000");  // d1
  EXPECT_EQ(ask("Pf=04000040"), "OK");
  EXPECT_EQ(target_.cpu(0).r[15], 0x40000004u);
  EXPECT_EQ(target_.writes_done, 1);
  EXPECT_EQ(ask("P0=00"), "E16");
  EXPECT_EQ(ask("P32=0102030405060708090a0b0c0d0e0f10"), "OK");  // q0
  EXPECT_EQ(ask("p12"), "090a0b0c0d0e0f10");
  EXPECT_EQ(ask("P42=00000000"), "E01");  // a system register
  EXPECT_EQ(ask("p1000"), "E16");
  // A mode that there is not; another one has a bank of its own.
  EXPECT_EQ(ask("P10=1e000000"), "E01");
  target_.cpu(0).r[13] = 5;
  EXPECT_EQ(ask("P10=d2010000"), "OK");
  EXPECT_EQ(target_.cpu(0).r[13], 0u);
  std::string all = ask("g");
  EXPECT_EQ(ask("G" + all), "OK");
  EXPECT_EQ(ask("g"), all);
  EXPECT_EQ(ask("G" + all.substr(2)), "E16");
  target_.answers = false;
  EXPECT_EQ(ask("g"), "E01");
}

TEST_F(DebugSessionTest, EveryRegisterIsDescribed) {
  const std::string text = target_description();
  size_t described = 0;
  for (size_t at = 0; (at = text.find("<reg ", at)) != std::string::npos; ++at) ++described;
  EXPECT_EQ(described, debugger_register_count());
  for (unsigned n = 0; n < debugger_register_count(); ++n)
    EXPECT_EQ(read_debugger_register(target_.cpu(0), n).size(), debugger_register_bytes(n));
}

TEST_F(DebugSessionTest, Memory) {
  EXPECT_EQ(ask("M1ffe,4:01020304"), "OK");
  EXPECT_EQ(ask("m1ffe,4"), "01020304");
  EXPECT_EQ(ask("Xffffffffffff,0:"), "E0e");
  EXPECT_EQ(ask("X1000,0:"), "OK");
  EXPECT_EQ(ask(std::string("X1000,3:a}\x03") + "b"), "OK");
  EXPECT_EQ(ask("m1000,3"), "612362");
  EXPECT_EQ(ask("m3ffe,4"), "0000");  // what there is of it
  EXPECT_EQ(ask("m4000,4"), "E0e");
  EXPECT_EQ(ask("mffffffff,4"), "E0e");
  EXPECT_EQ(ask("m0,4"), "E0e");
  EXPECT_EQ(ask("M1000,4:01"), "E16");
  EXPECT_EQ(ask("M1000,1:0g"), "E16");
  EXPECT_EQ(ask("qqemu.PhyMemMode"), "0");
  EXPECT_EQ(ask("Qqemu.PhyMemMode:1"), "OK");
  EXPECT_EQ(ask("qqemu.PhyMemMode"), "1");
  EXPECT_EQ(ask("m0,3"), "612362");
  monitor("phys off");
  EXPECT_EQ(ask("m1000,3"), "612362");
}

TEST_F(DebugSessionTest, PointsAndStops) {
  ask("qSupported:swbreak+;hwbreak+");
  EXPECT_EQ(ask("Z0,8000,4"), "OK");
  EXPECT_EQ(ask("Z1,8000,4"), "OK");
  EXPECT_EQ(ask("Z2,9000,4"), "OK");
  EXPECT_EQ(ask("Z3,a000,8"), "OK");
  EXPECT_EQ(ask("Z4,ffffffff,1"), "OK");
  EXPECT_EQ(ask("Z4,ffffffff,2"), "E16");
  EXPECT_EQ(ask("Z2,9000,0"), "E16");
  EXPECT_EQ(ask("Z5,9000,4"), "");
  EXPECT_TRUE(target_.points.breakpoints.empty());
  EXPECT_EQ(session_.receive(make_packet("c")), "+");
  EXPECT_EQ(target_.points.breakpoints, std::vector<uint32_t>{0x8000});
  ASSERT_EQ(target_.points.watchpoints.size(), 3u);
  EXPECT_EQ(target_.points.watchpoints[1].last, 0xa007u);
  EXPECT_TRUE(target_.points.watchpoints[1].loads && !target_.points.watchpoints[1].stores);

  const auto stop = [&](const arm::HostHit& hit) {
    const auto replies = payloads(session_.stopped(1, hit));
    session_.receive(make_packet("c"));
    return replies.empty() ? "" : replies.back();
  };
  EXPECT_EQ(stop({arm::HostStop::Breakpoint}), "T05thread:2;swbreak:;");
  EXPECT_EQ(stop({arm::HostStop::Store, 0x9001}), "T05thread:2;watch:9001;");
  EXPECT_EQ(stop({arm::HostStop::Load, 0xa000}), "T05thread:2;rwatch:a000;");
  EXPECT_EQ(stop({arm::HostStop::LoadOrStore, 0xffffffff}), "T05thread:2;awatch:ffffffff;");
  EXPECT_EQ(stop({arm::HostStop::Caught, 0, arm::Exception::Irq}), "T05thread:2;");
  session_.stopped(0, {});
  EXPECT_EQ(ask("z0,8000,4"), "OK");
  EXPECT_EQ(ask("z2,9000,4"), "OK");
  EXPECT_EQ(ask("z3,a000,8"), "OK");
  EXPECT_EQ(ask("z4,ffffffff,1"), "OK");
  session_.receive(make_packet("c"));
  EXPECT_TRUE(target_.points.breakpoints.empty() && target_.points.watchpoints.empty());
}

TEST_F(DebugSessionTest, WatchpointsHaveALimit) {
  for (unsigned i = 0; i < arm::kHostWatchpoints; ++i) EXPECT_EQ(ask("Z2," + std::to_string(1000 + i) + ",4"), "OK");
  EXPECT_EQ(ask("Z2,2000,4"), "E1c");
  EXPECT_EQ(ask("Z2,1000,4"), "OK");  // it is there
}

TEST_F(DebugSessionTest, Continue) {
  EXPECT_EQ(session_.receive(make_packet("vCont;s:2;c")), "+");
  ASSERT_EQ(target_.resumed.size(), 2u);
  EXPECT_EQ(target_.resumed[0].action, DebugAction::Continue);
  EXPECT_EQ(target_.resumed[1].action, DebugAction::Step);
  session_.stopped(1, {arm::HostStop::Step});
  EXPECT_EQ(session_.receive(make_packet("vCont;r8000,8010:1")), "+");
  EXPECT_EQ(target_.resumed[0].action, DebugAction::Step);
  EXPECT_EQ(target_.resumed[0].first, 0x8000u);
  EXPECT_EQ(target_.resumed[0].end, 0x8010u);
  EXPECT_EQ(target_.resumed[1].action, DebugAction::Stay);
  session_.stopped(0, {arm::HostStop::Step});
  EXPECT_EQ(session_.receive(make_packet("vCont;C05")), "+");
  EXPECT_EQ(target_.resumed[1].action, DebugAction::Continue);
  session_.stopped(0, {});
  EXPECT_EQ(ask("Hc2"), "OK");
  EXPECT_EQ(session_.receive(make_packet("s")), "+");
  EXPECT_EQ(target_.resumed[1].action, DebugAction::Step);
  session_.stopped(0, {});
  EXPECT_EQ(ask("vCont;x"), "E16");
  EXPECT_EQ(ask("vCont;s:9"), "E16");
  EXPECT_EQ(ask("vCont;r8010,8000:1"), "E16");
  EXPECT_EQ(ask("c8000"), "E16");
}

TEST_F(DebugSessionTest, InterruptWhileItRuns) {
  const int before = target_.interrupts;
  session_.receive("\x03");
  EXPECT_EQ(target_.interrupts, before);  // it does not run
  session_.receive(make_packet("c") + "\x03");
  EXPECT_EQ(target_.interrupts, before + 1);
  EXPECT_EQ(payloads(session_.stopped(0, {})), std::vector<std::string>{"T02thread:1;"});
}

TEST_F(DebugSessionTest, SelectedCpu) {
  target_.cpu(1).r[0] = 7;
  EXPECT_EQ(ask("Hg2"), "OK");
  EXPECT_EQ(ask("p0"), "07000000");
  EXPECT_EQ(ask("Hg0"), "OK");
  EXPECT_EQ(ask("p0"), "07000000");
  EXPECT_EQ(ask("Hg3"), "E01");
  EXPECT_EQ(ask("Hc-1"), "OK");
}

TEST_F(DebugSessionTest, Monitor) {
  EXPECT_NE(monitor("help").find("catch NAME"), std::string::npos);
  EXPECT_EQ(monitor("state"), "the state\n");
  EXPECT_EQ(monitor("catch svc irq"), "stops at svc irq\n");
  EXPECT_EQ(monitor("catch nothing"), "catch: unknown exception 'nothing'; see monitor help\n");
  EXPECT_EQ(monitor("catch"), "stops at svc irq\n");
  session_.receive(make_packet("c"));
  EXPECT_EQ(target_.points.catches, 1u << 2 | 1u << 6);
  EXPECT_EQ(payloads(session_.stopped(1, {arm::HostStop::Caught, 0, arm::Exception::Irq})).front().front(), 'O');
  EXPECT_EQ(monitor("catch none"), "stops at no exception\n");
  EXPECT_NE(monitor("dance").find("unknown command 'dance'"), std::string::npos);
  monitor("quit");
  EXPECT_EQ(target_.quits, 1);
  EXPECT_EQ(ask("qRcmd,6"), "E16");
}

TEST_F(DebugSessionTest, Ends) {
  EXPECT_EQ(ask("D"), "OK");
  EXPECT_TRUE(session_.detached());
  EXPECT_EQ(ask("vKill;1"), "OK");
  session_.receive(make_packet("k"));
  EXPECT_EQ(target_.quits, 2);
  EXPECT_EQ(payloads(session_.ended(3)), std::vector<std::string>{"W03"});
}

TEST(PacketReader, Framing) {
  PacketReader reader;
  std::string_view bytes = "++$a#6";
  EXPECT_FALSE(reader.next(bytes));
  bytes = "1$b#6";
  auto event = reader.next(bytes);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->payload, "a");
  EXPECT_FALSE(reader.next(bytes));
  bytes = "2";
  event = reader.next(bytes);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->payload, "b");
  // One that was not finished, and one that is too long.
  bytes = "$abc$a#61";
  EXPECT_EQ(reader.next(bytes)->payload, "a");
  const std::string long_one = "$" + std::string(2 * kMaxPacketBytes, 'x') + "#00$a#61";
  bytes = long_one;
  EXPECT_EQ(reader.next(bytes)->kind, PacketReader::Event::Damaged);
  EXPECT_EQ(reader.next(bytes)->payload, "a");
}

TEST(PacketReader, EscapesAndNumbers) {
  EXPECT_EQ(unescape("a}\x03}]}"), "a#}}");
  EXPECT_EQ(escape("$#}*a"), "}\x04}\x03}]}\na");
  EXPECT_EQ(unescape(escape("$#}*a")), "$#}*a");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0x"));
  EXPECT_FALSE(PacketFields("11112222333344445").number());
  EXPECT_FALSE(PacketFields("-1").number());
}

// Whatever comes, nothing breaks, and the session answers afterwards.
TEST_F(DebugSessionTest, Nonsense) {
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::string starts[] = {"m",
                                "M",
                                "X",
                                "p",
                                "P",
                                "G",
                                "g",
                                "Z0,",
                                "z4,",
                                "vCont;s:",
                                "vCont;r",
                                "Hg",
                                "Hc",
                                "T",
                                "qRcmd,",
                                "Q",
                                "qXfer:features:read:target.xml:",
                                "c",
                                "s",
                                "qThreadExtraInfo,",
                                "vKill;",
                                "?",
                                "D",
                                "qqemu.PhyMemMode",
                                "Qqemu.PhyMemMode:",
                                "qRcmd,6361746368"};
  constexpr char kLetters[] = "0123456789abcdef,:;=}#$-+\x03\xff";
  for (int round = 0; round < 20000; ++round) {
    std::string payload = below(8) ? starts[below(std::size(starts))] : "";
    for (size_t length = below(24); length != 0; --length) payload.push_back(kLetters[below(sizeof kLetters)]);
    std::string bytes = below(16) ? make_packet(payload) : payload;
    if (below(16) == 0) bytes.resize(below(bytes.size() + 1));
    session_.receive(bytes);
    if (below(4) == 0) session_.stopped(static_cast<unsigned>(below(2)), {});
  }
  session_.stopped(0, {});
  session_.receive("#00");  // the end of what may be open
  EXPECT_EQ(ask("Hg1"), "OK");
}

}  // namespace
}  // namespace crosswalk::vmm
