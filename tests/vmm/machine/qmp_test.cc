// SPDX-License-Identifier: GPL-2.0-or-later
// The lines of --control: each gets one answer, whatever it is.
#include "vmm/machine/control/qmp.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace crosswalk::vmm {
namespace {

using Json = nlohmann::json;

class FakeTarget : public MonitorTarget {
 public:
  std::string run_state() const override { return paused ? "paused" : "running"; }
  unsigned cpu_count() const override { return 2; }
  Result<bool> pause() override { return !std::exchange(paused, true); }
  Result<bool> resume() override { return std::exchange(paused, false); }
  Result<uint64_t> snapshot(int fd, bool quit) override {
    if (fd < 0) return Error{"no file"};
    if (quit) ended = true;
    return static_cast<uint64_t>(::write(fd, "snap", 4));
  }
  Result<bool> reset() override {
    ++resets;
    return true;
  }
  void quit() override { ended = true; }
  Result<std::string> state() override { return std::string("pc 0\n"); }
  Result<std::string> statistics() override { return std::string(R"({"run": {"mmu": "soft"}})"); }
  void send_break() override { ++breaks; }
  void press_power_button() override { ++presses; }

  bool paused = false, ended = false;
  int resets = 0, breaks = 0, presses = 0;
};

class QmpTest : public testing::Test {
 protected:
  Json answer(const std::string& line) {
    const std::string text = qmp_.answer(line, fds_);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    return Json::parse(text);
  }
  Json run(const std::string& name, const Json& arguments = Json::object()) {
    return answer(Json{{"execute", name}, {"arguments", arguments}}.dump());
  }
  static std::string error_of(const Json& answer) {
    return answer.contains("error") ? answer["error"]["desc"].get<std::string>() : "";
  }

  FakeTarget target_;
  std::vector<std::string> events_;
  std::vector<int> fds_;
  Qmp qmp_{target_, "crosswalk 0", [this](const std::string& line) { events_.push_back(line); }};
};

TEST_F(QmpTest, GreetsAsQemuDoes) {
  const Json greeting = Json::parse(qmp_.greeting());
  EXPECT_EQ(greeting["QMP"]["version"]["package"], "crosswalk 0");
  EXPECT_TRUE(greeting["QMP"]["capabilities"].is_array());
  EXPECT_EQ(run("qmp_capabilities"), (Json{{"return", Json::object()}}));
}

TEST_F(QmpTest, PausesAndResumes) {
  EXPECT_EQ(run("query-status")["return"]["status"], "running");
  run("stop");
  run("stop");
  EXPECT_EQ(run("query-status")["return"], (Json{{"status", "paused"}, {"running", false}}));
  run("cont");
  EXPECT_FALSE(target_.paused);
  ASSERT_EQ(events_.size(), 2u);  // what changed nothing is no event
  EXPECT_EQ(Json::parse(events_[0])["event"], "STOP");
  EXPECT_EQ(Json::parse(events_[1])["event"], "RESUME");
}

TEST_F(QmpTest, AnswersQuestions) {
  EXPECT_EQ(run("query-cpus-fast")["return"].size(), 2u);
  EXPECT_EQ(run("query-stats")["return"]["run"]["mmu"], "soft");
  EXPECT_EQ(run("query-state")["return"]["text"], "pc 0\n");
  std::set<std::string> names;
  const Json commands = run("query-commands")["return"];
  for (const Json& command : commands) names.insert(command["name"].get<std::string>());
  EXPECT_TRUE(names.contains("snapshot") && names.contains("quit") && names.contains("system_reset"));
}

TEST_F(QmpTest, DoesThings) {
  run("system_reset");
  run("send-break");
  run("system_powerdown");
  run("quit");
  EXPECT_EQ(target_.resets, 1);
  EXPECT_EQ(target_.breaks, 1);
  EXPECT_EQ(target_.presses, 1);
  EXPECT_TRUE(target_.ended);
}

TEST_F(QmpTest, WritesASnapshotToAFileThatIsHandedOver) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  EXPECT_NE(error_of(run("getfd", {{"fdname", "f"}})), "");  // none came
  fds_ = {ends[1]};
  EXPECT_EQ(error_of(run("getfd", {{"fdname", "f"}})), "");
  EXPECT_EQ(run("snapshot", {{"fdname", "f"}, {"quit", true}})["return"]["bytes"], 4);
  EXPECT_TRUE(target_.ended);
  EXPECT_NE(error_of(run("snapshot")), "");
  EXPECT_NE(error_of(run("snapshot", {{"fdname", "g"}})), "");
  EXPECT_EQ(error_of(run("closefd", {{"fdname", "f"}})), "");
  EXPECT_NE(error_of(run("closefd", {{"fdname", "f"}})), "");
  char text[8];
  EXPECT_EQ(read(ends[0], text, sizeof text), 4);
  EXPECT_EQ(read(ends[0], text, sizeof text), 0) << "the file is still open";
  close(ends[0]);
}

TEST_F(QmpTest, AFileThatNobodyTakesIsClosed) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  fds_ = {ends[1]};
  run("query-status");
  char none;
  EXPECT_EQ(read(ends[0], &none, 1), 0);
  close(ends[0]);
}

TEST_F(QmpTest, RefusesWhatIsNoCommand) {
  EXPECT_EQ(answer(R"({"execute": "nothing"})")["error"]["class"], "CommandNotFound");
  for (const char* line :
       {"", "{", "[]", "1", R"({"execute": 1})", R"({"arguments": {}})", R"({"execute": "quit", "arguments": []})",
        R"({"execute": "quit", "arguments": {"now": true}})", R"({"execute": "stop", "extra": 1})", "\xff\xfe",
        R"({"execute": "snapshot", "arguments": {"quit": 1}})", R"({"execute": "getfd", "arguments": {"fdname": 7}})"})
    EXPECT_NE(error_of(answer(line)), "") << line;
  EXPECT_FALSE(target_.ended);
  EXPECT_EQ(answer(R"({"execute": "query-status", "id": [1, "x"]})")["id"], (Json{1, "x"}));
}

TEST_F(QmpTest, AnswersRubbish) {
  const std::string whole = R"({"execute": "snapshot", "arguments": {"fdname": "x", "quit": false}, "id": 5})";
  std::mt19937 random(11);
  for (int i = 0; i < 5000; ++i) {
    std::string line = whole;
    for (unsigned n = random() % 4 + 1; n > 0; --n) line[random() % line.size()] = static_cast<char>(random());
    std::erase(line, '\n');
    const Json got = answer(line);
    EXPECT_TRUE(got.contains("error") || got.contains("return"));
  }
}

}  // namespace
}  // namespace crosswalk::vmm
