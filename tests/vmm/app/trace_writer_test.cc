// SPDX-License-Identifier: GPL-2.0-or-later
// The ring of events, and the JSON that it becomes.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "mmu-shadow/accounts.h"
#include "tests/vmm/test_files.h"
#include "translator/arm32/cpu/exceptions.h"
#include "vmm/app/trace_writer.h"

namespace crosswalk::vmm {
namespace {

using nlohmann::json;
using trace::Event;
using trace::Kind;

constexpr ClockPair kStart{1000, 5'000'000};
constexpr ClockPair kEnd{3000, 5'001'000};  // half a nanosecond a tick

json written(std::initializer_list<const trace::Ring*> rings, const TraceDescription& description = {}) {
  const TestFile file({});
  auto output = OutputFile::open("--trace", file.path());
  EXPECT_TRUE(output) << output.error();
  auto result = write_trace(*output, std::vector(rings), kStart, kEnd, description);
  EXPECT_TRUE(result) << result.error();
  std::ifstream in(file.path());
  return json::parse(in);
}

std::vector<json> events_of(const json& file) {
  std::vector<json> events;
  for (const json& event : file["traceEvents"])
    if (event["ph"] != "M") events.push_back(event);
  return events;
}

TEST(TraceRing, KeepsTheNewest) {
  Event storage[4];
  trace::Ring ring(storage, 4);
  for (uint64_t i = 0; i < 4; i++) ring.append(Kind::Wait, i, i);
  EXPECT_EQ(ring.size(), 4u);
  EXPECT_EQ(ring.dropped(), 0u);
  ring.append(Kind::Wait, 4, 4);
  ring.append(Kind::Wait, 5, 5);
  EXPECT_EQ(ring.size(), 4u);
  EXPECT_EQ(ring.dropped(), 2u);
  for (size_t i = 0; i < 4; i++) EXPECT_EQ(ring[i].start, i + 2);
}

TEST(TraceRing, OffIsNull) {
  EXPECT_EQ(trace::begin(nullptr), 0u);
  trace::end(nullptr, Kind::Wait, 0);
  trace::instant(nullptr, Kind::Exception, 0);
}

TEST(TraceRing, EventsCarryTheCurrentAsid) {
  Event storage[8];
  trace::Ring ring(storage, 8);
  ring.switch_space(7, false, 0x1234);
  trace::instant(&ring, Kind::CacheClear, 1);
  ring.switch_space(9, true, 0x5678);
  ASSERT_EQ(ring.size(), 3u);
  EXPECT_EQ(ring[1].asid, 7);
  EXPECT_EQ(ring[2].kind, Kind::AddressSpace);  // the time under ASID 7
  EXPECT_EQ(ring[2].asid, 7);
  EXPECT_EQ(ring[2].a, 0x1234u);
  EXPECT_EQ(ring[2].c, 0u);
  EXPECT_EQ(ring[2].start, ring[0].end);
}

TEST(TraceWriter, TimesAndOrder) {
  Event storage[8];
  trace::Ring ring(storage, 8);
  ring.append(Kind::VmExit, 1400, 1600);       // within the fault, and done before it
  ring.append(Kind::WindowFault, 1200, 2000);  // 0.1 to 0.5 us
  ring.append(Kind::Exception, 2001, 2001);
  const json file = written({&ring});
  EXPECT_EQ(file["otherData"]["events"], 3);
  EXPECT_EQ(file["otherData"]["dropped events"], 0);
  const auto events = events_of(file);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0]["name"], "window fault: installed");
  EXPECT_EQ(events[0]["ph"], "X");
  EXPECT_DOUBLE_EQ(events[0]["ts"], 0.1);
  EXPECT_DOUBLE_EQ(events[0]["dur"], 0.4);
  EXPECT_EQ(events[1]["name"], "exit: system call");
  EXPECT_DOUBLE_EQ(events[1]["ts"], 0.2);
  EXPECT_DOUBLE_EQ(events[1]["dur"], 0.1);
  EXPECT_EQ(events[2]["ph"], "i");
  EXPECT_DOUBLE_EQ(events[2]["ts"], 0.5);  // whole nanoseconds
}

TEST(TraceWriter, EachCpuHasItsTracks) {
  Event storage[2][4];
  trace::Ring first(storage[0], 4), second(storage[1], 4);
  first.append(Kind::Wait, 1200, 1400);
  second.append(Kind::Wait, 1100, 1400);
  second.append(Kind::AddressSpace, 1000, 1500);
  const json file = written({&first, &second});
  EXPECT_EQ(file["otherData"]["events"], 3);
  std::map<int, std::string> tracks;
  for (const json& event : file["traceEvents"])
    if (event["name"] == "thread_name") tracks[event["tid"]] = event["args"]["name"];
  std::map<std::string, int> counts;
  for (const json& event : events_of(file)) ++counts[tracks[event["tid"]]];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"CPU 0", 1}, {"CPU 1", 1}, {"CPU 1: address space", 1}}));
}

TEST(TraceWriter, DroppedEventsAreCounted) {
  Event storage[2];
  trace::Ring ring(storage, 2);
  for (uint64_t i = 0; i < 5; i++) ring.append(Kind::Wait, 1000 + i, 1000 + i);
  EXPECT_EQ(written({&ring})["otherData"]["dropped events"], 3);
}

TEST(TraceWriter, EveryKindHasANameAndArguments) {
  Event storage[64];
  trace::Ring ring(storage, 64);
  ring.switch_space(5, false, 1);
  uint64_t at = 2000;
  const auto add = [&](Kind kind, uint32_t c) -> Event& {
    Event& event = ring.append(kind, at, at + 2);
    event.c = c;
    at += 10;
    return event;
  };
  for (uint32_t kind = 0; kind < static_cast<uint32_t>(Kind::Count); kind++)
    if (static_cast<Kind>(kind) != Kind::AddressSpace) add(static_cast<Kind>(kind), 2);
  add(Kind::Flush, static_cast<uint32_t>(trace::FlushKind::Asid)).b = 33;
  Event& abort = add(Kind::Exception, static_cast<uint32_t>(arm::Exception::DataAbort));
  abort.a = 0x8000;
  abort.b = 0xc0001234;
  abort.d = 0x805;
  std::map<std::string, json> by_name;
  for (const json& event : events_of(written({&ring}))) {
    by_name[event["name"]] = event["args"];
    EXPECT_TRUE(event["args"].contains("asid")) << event;
    EXPECT_TRUE(event.contains("cat")) << event;
  }
  for (const char* name :
       {"window fault: device", "flush: by address", "prefill", "hybrid: promoted", "ASID 0 privileged",
        "exit: map memory", "exception: Supervisor Call", "translate", "code invalidated", "room in the code cache",
        "device read", "device write", "wait for interrupt", "flush: by ASID", "exception: Data Abort"})
    EXPECT_TRUE(by_name.count(name)) << name;
  EXPECT_EQ(by_name["flush: by ASID"]["flushed asid"], 33);
  EXPECT_EQ(by_name["exception: Data Abort"]["far"], "0xc0001234");
  EXPECT_EQ(by_name["exception: Data Abort"]["fsr"], "0x805");
  EXPECT_EQ(by_name["exception: Data Abort"]["pc"], "0x00008000");
  EXPECT_EQ(by_name["translate"]["asid"], 5);
}

TEST(TraceWriter, NamesAreQuoted) {
  Event storage[2];
  trace::Ring ring(storage, 2);
  TraceDescription description;
  description.process = "a \"quoted\" \\ name\n\xff";
  description.facts = {{"mmu", "so\"ft"}};
  const json file = written({&ring}, description);
  EXPECT_EQ(file["otherData"]["mmu"], "so\"ft");
  for (const json& event : file["traceEvents"]) {
    if (event["name"] != "process_name") continue;
    EXPECT_EQ(event["args"]["name"].get<std::string>().substr(0, 17), "a \"quoted\" \\ name");
  }
}

TEST(TraceWriter, AnUnwritableFileIsAnError) {
  Event storage[2];
  const trace::Ring ring(storage, 2);
  auto output = OutputFile::open("--trace", "/nonexistent/trace.json");
  ASSERT_FALSE(output);
  EXPECT_NE(output.error().find("--trace: cannot write /nonexistent/trace.json"), std::string::npos);
  output = OutputFile::open("--trace", "/dev/full");
  ASSERT_TRUE(output) << output.error();
  const auto result = write_trace(*output, std::vector{&ring}, kStart, kEnd, {});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("/dev/full: No space left"), std::string::npos) << result.error();
}

TEST(TraceBuffer, RefusesWhatDoesNotFit) {
  auto buffer = TraceBuffer::create(1000);
  ASSERT_TRUE(buffer) << buffer.error();
  EXPECT_EQ((*buffer)->ring().size(), 0u);
  EXPECT_GT((*buffer)->start().tsc, 0u);
  auto huge = TraceBuffer::create(uint64_t{1} << 50);
  ASSERT_FALSE(huge);
  EXPECT_NE(huge.error().find("--trace-events"), std::string::npos);
}

TEST(AsidAccounts, ChargesTheAsidInBetween) {
  mmu::AsidAccounts accounts(256);
  uint64_t aborts = 3;
  accounts.watch_data_aborts(&aborts);
  mmu::Statistics s;
  s.walks = 2;
  accounts.switch_to(s, 4, false);
  s.walks = 12;
  s.soft_misses = 5;
  s.window_faults_installed = 2;
  s.window_faults_guest = 1;
  s.pages_installed = 20;
  s.entries_removed = 6;
  s.flush_mva = 1;
  aborts = 5;
  accounts.switch_to(s, 4, true);
  s.walks = 13;
  accounts.switch_to(s, 9, false);
  accounts.switch_to(s, 4, false);
  accounts.settle(s);
  EXPECT_EQ(accounts.of(0).walks, 2u);
  EXPECT_EQ(accounts.of(4).walks, 11u);
  EXPECT_EQ(accounts.of(4).soft_misses, 5u);
  EXPECT_EQ(accounts.of(4).faults, 3u);
  EXPECT_EQ(accounts.of(4).installed, 20u);
  EXPECT_EQ(accounts.of(4).removed, 6u);
  EXPECT_EQ(accounts.of(4).flushes, 1u);
  EXPECT_EQ(accounts.of(4).data_aborts, 2u);
  EXPECT_EQ(accounts.of(4).switches, 2u);  // to the ASID, not between its privileges
  EXPECT_EQ(accounts.of(9).switches, 1u);
  EXPECT_GT(accounts.of(4).ticks_user, 0u);
  EXPECT_GT(accounts.of(4).ticks_privileged, 0u);
  EXPECT_EQ(accounts.of(9).ticks_privileged, 0u);
}

}  // namespace
}  // namespace crosswalk::vmm
