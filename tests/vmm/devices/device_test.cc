// SPDX-License-Identifier: GPL-2.0-or-later
// The bus, PL011 and PL031 by their registers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "vmm/devices/pl011.h"
#include "vmm/devices/pl031.h"
#include "vmm/machine/board/bus.h"

namespace crosswalk::vmm {
namespace {

struct Sink final : InterruptSink {
  std::map<unsigned, bool> level;
  void set_interrupt(unsigned interrupt, bool value) override { level[interrupt] = value; }
};

struct Memory final : MmioDevice {
  uint8_t bytes[16] = {};
  unsigned accesses = 0;
  uint32_t read(unsigned, uint64_t offset, unsigned size) override {
    ++accesses;
    uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) value |= uint32_t{bytes[offset + i]} << i * 8;
    return value;
  }
  void write(unsigned, uint64_t offset, unsigned size, uint32_t value) override {
    ++accesses;
    for (unsigned i = 0; i < size; ++i) bytes[offset + i] = static_cast<uint8_t>(value >> i * 8);
  }
};

TEST(Bus, RangesMustBeDisjoint) {
  Bus bus;
  Memory a, b;
  EXPECT_TRUE(bus.add(0x1000, 16, a));
  EXPECT_FALSE(bus.add(0x100f, 16, b));
  EXPECT_FALSE(bus.add(0x0ff8, 16, b));
  EXPECT_FALSE(bus.add(0x1000, 16, b));
  EXPECT_FALSE(bus.add(0x2000, 0, b));
  EXPECT_FALSE(bus.add(~uint64_t{0}, 16, b));
  EXPECT_TRUE(bus.add(0x1010, 16, b));
  EXPECT_TRUE(bus.add(0x0ff0, 16, b));
}

TEST(Bus, SizesAndEdges) {
  Bus bus;
  Memory device;
  ASSERT_TRUE(bus.add(0x1000, 16, device));
  uint64_t value = 0;
  EXPECT_TRUE(bus.write(0, 0x1000, 8, 0x1122334455667788));
  EXPECT_TRUE(bus.read(0, 0x1000, 8, value));
  EXPECT_EQ(value, 0x1122334455667788u);
  EXPECT_TRUE(bus.read(0, 0x1001, 4, value));  // unaligned: by bytes
  EXPECT_EQ(value, 0x44556677u);
  EXPECT_TRUE(bus.read(0, 0x1007, 1, value));
  EXPECT_EQ(value, 0x11u);
  EXPECT_FALSE(bus.read(0, 0x100e, 4, value));  // half outside
  EXPECT_FALSE(bus.read(0, 0x0fff, 1, value));
  EXPECT_FALSE(bus.write(0, 0x1010, 1, 0));
  EXPECT_FALSE(bus.read(0, ~uint64_t{0}, 8, value));
}

class Pl011Test : public testing::Test {
 protected:
  enum : uint32_t {
    kDr = 0,
    kFr = 0x18,
    kLcrH = 0x2c,
    kCr = 0x30,
    kIfls = 0x34,
    kImsc = 0x38,
    kRis = 0x3c,
    kMis = 0x40,
    kIcr = 0x44
  };
  enum : uint32_t { kRx = 0x10, kTx = 0x20, kRt = 0x40 };

  Pl011Test() {
    EXPECT_EQ(pipe2(ends_, O_NONBLOCK), 0);
    console_ = std::make_unique<ConsoleOutput>(ends_[1]);
    uart_ = std::make_unique<Pl011>(*console_, sink_, 33);
  }
  ~Pl011Test() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  uint32_t get(uint32_t offset) { return uart_->read(0, offset, 4); }
  void set(uint32_t offset, uint32_t value) { uart_->write(0, offset, 4, value); }
  void receive(const std::string& text) { uart_->input(reinterpret_cast<const uint8_t*>(text.data()), text.size()); }
  bool line() { return sink_.level[33]; }
  std::string printed() {
    while (console_->has_output()) console_->write_output();
    char buffer[70000];
    const ssize_t count = read(ends_[0], buffer, sizeof buffer);
    return count > 0 ? std::string(buffer, static_cast<size_t>(count)) : "";
  }

  int ends_[2];
  Sink sink_;
  std::unique_ptr<ConsoleOutput> console_;
  std::unique_ptr<Pl011> uart_;
};

TEST_F(Pl011Test, Identification) {
  const uint8_t expected[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(get(0xfe0 + i * 4), expected[i]);
}

TEST_F(Pl011Test, PrintsInOrder) {
  for (char c : std::string("hello\n")) set(kDr, static_cast<uint8_t>(c));
  EXPECT_EQ(printed(), "hello\n");
  EXPECT_EQ(get(kFr) & 0xa0, 0x80u);  // empty, not full
}

TEST_F(Pl011Test, TransmitInterruptIsMaskedAndCleared) {
  set(kDr, 'x');
  EXPECT_TRUE(get(kRis) & kTx);
  EXPECT_EQ(get(kMis), 0u);
  EXPECT_FALSE(line());
  set(kImsc, kTx);
  EXPECT_TRUE(line());
  set(kIcr, kTx);
  EXPECT_FALSE(line());
}

TEST_F(Pl011Test, FullRingShowsAsFullFifoAndTellsWhenItDrains) {
  set(kImsc, kTx);
  unsigned written = 0;
  while (!(get(kFr) & 0x20)) {
    set(kDr, 'x');
    ASSERT_LT(++written, 100'000u);
  }
  EXPECT_GT(written, 60'000u);
  set(kIcr, kTx);
  uart_->output_drained();
  EXPECT_FALSE(line());  // nothing has drained yet
  ASSERT_TRUE(console_->write_output());
  uart_->output_drained();
  EXPECT_TRUE(line());
  EXPECT_FALSE(get(kFr) & 0x20);
}

TEST_F(Pl011Test, ReceiveWithoutFifo) {
  set(kImsc, kRx | kRt);
  EXPECT_TRUE(get(kFr) & 0x10);
  receive("ab");
  EXPECT_TRUE(line());
  EXPECT_EQ(get(kRis) & (kRx | kRt), uint32_t{kRx});
  EXPECT_EQ(get(kFr) & 0x50, 0x40u);  // full at depth 1
  EXPECT_EQ(get(kDr), uint32_t{'a'});
  EXPECT_EQ(get(kDr), uint32_t{'b'});
  EXPECT_FALSE(line());
  EXPECT_TRUE(get(kFr) & 0x10);
}

TEST_F(Pl011Test, TriggerLevelAndTimeoutWithFifo) {
  set(kLcrH, 0x70);
  set(kIfls, 2 << 3);  // half full: 8
  set(kImsc, kRx | kRt);
  receive("1234567");
  EXPECT_EQ(get(kMis), uint32_t{kRt});
  receive("8");
  EXPECT_EQ(get(kMis), uint32_t{kRx});
  EXPECT_EQ(get(kDr), uint32_t{'1'});
  EXPECT_EQ(get(kMis), uint32_t{kRt});
  set(kIcr, kRt);  // data still waits, so the timeout is due again
  EXPECT_TRUE(line());
  while (!(get(kFr) & 0x10)) get(kDr);
  EXPECT_FALSE(line());
}

TEST_F(Pl011Test, BacklogIsBoundedAndRefillsTheFifo) {
  set(kLcrH, 0x70);
  receive(std::string(uart_->input_room(), 'z'));
  EXPECT_EQ(uart_->input_room(), 0u);
  EXPECT_TRUE(get(kFr) & 0x40);
  unsigned count = 0;
  while (!(get(kFr) & 0x10)) {
    EXPECT_EQ(get(kDr), uint32_t{'z'});
    ++count;
  }
  EXPECT_EQ(count, 4096u);
}

TEST_F(Pl011Test, RestoredInTheMiddleOfUse) {
  set(kLcrH, 0x70);
  set(kIfls, 2 << 3);
  set(kImsc, kRx | kRt | kTx);
  set(kDr, 'x');
  set(kIcr, kTx);
  receive("123456789");
  EXPECT_EQ(get(kDr), uint32_t{'1'});
  EXPECT_EQ(get(kMis), uint32_t{kRx});
  Sink sink;
  Pl011 other(*console_, sink, 33);
  other.restore(uart_->save());
  EXPECT_TRUE(sink.level[33]);
  for (uint32_t offset = 0x04; offset < 0x1000; offset += 4) {
    EXPECT_EQ(other.read(0, offset, 4), get(offset)) << offset;
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(other.read(0, kDr, 4), get(kDr));
    EXPECT_EQ(other.read(0, kMis, 4), get(kMis));
    EXPECT_EQ(sink.level[33], line());
  }
  EXPECT_FALSE(sink.level[33]);
}

// DDI 0183G, 3.3.1 and 3.3.2: a zero with UARTDR.BE, which UARTRSR shows, and UARTRIS.BERIS.
TEST_F(Pl011Test, ABreakIsACharacterWithAFlag) {
  constexpr uint32_t kRsr = 4, kBe = 1u << 9;
  set(kImsc, kBe);
  uart_->input_break();
  receive("h");
  EXPECT_TRUE(get(kRis) & kBe);
  EXPECT_TRUE(line());
  EXPECT_EQ(get(kDr), 1u << 10);
  EXPECT_EQ(get(kRsr), 4u);
  EXPECT_EQ(get(kDr), uint32_t{'h'});
  EXPECT_EQ(get(kRsr), 0u);
  set(kIcr, kBe);
  EXPECT_FALSE(line());
}

TEST_F(Pl011Test, Loopback) {
  set(kCr, 0x381);
  set(kDr, 'q');
  EXPECT_EQ(get(kDr), uint32_t{'q'});
  EXPECT_EQ(printed(), "");
}

TEST(Console, OutputToAClosedPipeIsDiscarded) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);
  ConsoleOutput console(ends[1]);
  for (int i = 0; i < 100'000; ++i) {
    console.put('x');
    if (!console.has_room()) console.write_output();
  }
  while (console.has_output()) console.write_output();
  EXPECT_EQ(console.bytes(), 0u);
  close(ends[1]);
}

// The UART's bytes and those of devices on the I/O thread each get through while the other has more
// than stdout takes.
TEST(Console, NeitherKindOfOutputWaitsForTheOther) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ConsoleOutput console(ends[1]);
  size_t from_uart = 0, from_device = 0;
  for (int round = 0; round < 1000; ++round) {
    while (console.has_room()) console.put('u');
    while (console.has_io_room()) console.put_from_io_thread(std::string(16 << 10, 'd'));
    ASSERT_TRUE(console.write_output());
    char text[4096];
    const ssize_t count = read(ends[0], text, sizeof text);
    ASSERT_GT(count, 0);
    for (ssize_t i = 0; i < count; ++i) (text[i] == 'u' ? from_uart : from_device)++;
  }
  EXPECT_GT(from_uart, 100'000u);
  EXPECT_GT(from_device, 100'000u);
  close(ends[0]);
  close(ends[1]);
}

TEST(Console, EscapeKeys) {
  EscapeFilter filter;
  std::string out;
  using Action = EscapeFilter::Action;
  const auto feed = [&](uint8_t byte) { return filter.feed(byte, out); };
  EXPECT_EQ(feed('a'), Action::None);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('h'), Action::Help);
  EXPECT_EQ(feed('x'), Action::None);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('x'), Action::Quit);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('i'), Action::State);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('s'), Action::Snapshot);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('b'), Action::Break);
  EXPECT_EQ(feed(1), Action::None);
  EXPECT_EQ(feed('p'), Action::PowerButton);
  EXPECT_EQ(out, std::string("a\1x"));
  EscapeFilter other(20);
  EXPECT_EQ(other.feed(1, out), Action::None);
  EXPECT_EQ(other.feed(20, out), Action::None);
  EXPECT_EQ(other.feed(20, out), Action::None);
  EXPECT_EQ(other.feed(20, out), Action::None);
  EXPECT_EQ(other.feed('x', out), Action::Quit);
  EXPECT_EQ(out, std::string("a\1x\1\24"));
}

struct FakeClock final : WallClock {
  uint64_t now = 1'000 * uint64_t{1'000'000'000} + 250'000'000;
  unsigned changes = 0;
  uint64_t wall_nanoseconds() override { return now; }
  void alarm_changed() override { ++changes; }
};

TEST(Pl031, ReadsTheClockAndCanBeSet) {
  FakeClock clock;
  Sink sink;
  Pl031 rtc(clock, sink, 34);
  EXPECT_EQ(rtc.read(0, 0, 4), 1000u);
  rtc.write(0, 8, 4, 5000);
  EXPECT_EQ(rtc.read(0, 0, 4), 5000u);
  clock.now += 3'000'000'000;
  EXPECT_EQ(rtc.read(0, 0, 4), 5003u);
  EXPECT_EQ(rtc.read(0, 0xfe0, 4), 0x31u);
}

TEST(Pl031, Alarm) {
  FakeClock clock;
  Sink sink;
  Pl031 rtc(clock, sink, 34);
  EXPECT_FALSE(rtc.next_alarm());
  rtc.write(0, 0x10, 4, 1);
  rtc.write(0, 4, 4, 1002);
  EXPECT_EQ(clock.changes, 1u);
  ASSERT_TRUE(rtc.next_alarm());
  EXPECT_EQ(*rtc.next_alarm(), 1'750'000'000u);
  rtc.check_alarm();
  EXPECT_FALSE(sink.level[34]);
  clock.now += 1'750'000'000;
  rtc.check_alarm();
  EXPECT_TRUE(sink.level[34]);
  EXPECT_FALSE(rtc.next_alarm());
  rtc.write(0, 0x1c, 4, 1);
  EXPECT_FALSE(sink.level[34]);
}

constexpr uint64_t kSecond = 1'000'000'000;

TEST(Pl031, RestoredWithItsTimeAndItsAlarm) {
  FakeClock clock;
  Sink sink, other_sink;
  Pl031 rtc(clock, sink, 34);
  rtc.write(0, 8, 4, 5000);
  rtc.write(0, 0x10, 4, 1);
  rtc.write(0, 4, 4, 5010);
  const Pl031::State state = rtc.save();
  for (const unsigned seconds : {0u, 9u}) {
    clock.now += seconds * kSecond;
    Pl031 other(clock, other_sink, 34);
    other.restore(state);
    EXPECT_FALSE(other_sink.level[34]);
    for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
      EXPECT_EQ(other.read(0, offset, 4), rtc.read(0, offset, 4)) << offset;
    }
    EXPECT_EQ(other.next_alarm(), rtc.next_alarm());
  }
  // The alarm came while nobody was there.
  clock.now += 5 * kSecond;
  Pl031 late(clock, other_sink, 34);
  late.restore(state);
  EXPECT_TRUE(other_sink.level[34]);
  EXPECT_FALSE(late.next_alarm());
}

class Pl031Alarm : public testing::Test {
 protected:
  Pl031Alarm() {
    rtc_.write(0, 0x10, 4, 1);
    rtc_.write(0, 4, 4, 1010);
  }
  bool raw() { return rtc_.read(0, 0x14, 4) & 1; }
  FakeClock clock_;
  Sink sink_;
  Pl031 rtc_{clock_, sink_, 34};
};

TEST_F(Pl031Alarm, FiresWhenTheHostIsLate) {
  clock_.now += 3600 * kSecond;
  EXPECT_EQ(rtc_.next_alarm(), 0u);
  rtc_.check_alarm();
  EXPECT_TRUE(sink_.level[34]);
}

TEST_F(Pl031Alarm, IsSeenByWhoReadsTheTime) {
  clock_.now += 12 * kSecond;
  EXPECT_EQ(rtc_.read(0, 0, 4), 1012u);
  EXPECT_TRUE(sink_.level[34]);
  EXPECT_TRUE(raw());
}

TEST_F(Pl031Alarm, ComesLaterWhenTheClockIsSetBack) {
  clock_.now -= 100 * kSecond;
  rtc_.check_alarm();
  EXPECT_FALSE(raw());
  EXPECT_EQ(rtc_.next_alarm(), 110 * kSecond - clock_.now % kSecond);
  clock_.now += 109 * kSecond;
  EXPECT_FALSE(raw());
  clock_.now += kSecond;
  EXPECT_TRUE(raw());
}

TEST_F(Pl031Alarm, ThatTheGuestSetInThePastWaitsForTheCounter) {
  rtc_.write(0, 4, 4, 990);
  clock_.now += 3600 * kSecond;
  EXPECT_FALSE(raw());
  clock_.now -= 3700 * kSecond;  // to 900
  EXPECT_FALSE(raw());
  EXPECT_EQ(rtc_.next_alarm(), 90 * kSecond - clock_.now % kSecond);
  clock_.now += 90 * kSecond;
  EXPECT_TRUE(raw());
}

TEST_F(Pl031Alarm, TheGuestsOwnSettingOfTheTimeSkipsIt) {
  rtc_.write(0, 8, 4, 2000);
  EXPECT_FALSE(raw());
  clock_.now += 3600 * kSecond;
  EXPECT_FALSE(raw());
  rtc_.write(0, 8, 4, 1009);
  EXPECT_FALSE(raw());
  clock_.now += kSecond;
  EXPECT_TRUE(raw());
  rtc_.write(0, 0x1c, 4, 1);
  EXPECT_FALSE(raw());  // once only
  EXPECT_GT(*rtc_.next_alarm(), 3600 * kSecond);
  rtc_.write(0, 8, 4, 1010);  // equal: a match
  EXPECT_TRUE(raw());
}

TEST_F(Pl031Alarm, AcrossTheEndOfTheCounter) {
  rtc_.write(0, 8, 4, 0xfffffff0);
  rtc_.write(0, 4, 4, 5);
  clock_.now += 20 * kSecond;
  EXPECT_FALSE(raw());
  clock_.now += 2 * kSecond;
  EXPECT_TRUE(raw());
}

}  // namespace
}  // namespace crosswalk::vmm
