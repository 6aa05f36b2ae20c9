#include "source/extensions/filters/network/redis_proxy/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "source/base/ascii.h"
#include "source/base/secret.h"
#include "source/base/text.h"

namespace sluice::extensions::network_filters::redis_proxy {

using redis::Handling;

namespace {

// So many are kept for the next command.
constexpr size_t kKeptWords = 1024;

// So much of a client's words stands in an error.
std::string_view shown(std::string_view word) {
  return word.substr(0, 128);
}

std::string timeNow() {
  using std::chrono::duration_cast;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = duration_cast<std::chrono::seconds>(now);
  std::string out;
  redis::appendArray(2, out);
  redis::appendBulk(std::to_string(seconds.count()), out);
  redis::appendBulk(std::to_string(duration_cast<std::chrono::microseconds>(now - seconds).count()), out);
  return out;
}

// One of the faults, whose shares add up; null: none.
const Fault* drawFault(const std::vector<Fault>& faults, base::Random& random) {
  if (faults.empty()) return nullptr;
  const double at = random.fraction();
  double share = 0;
  for (const Fault& fault : faults) {
    share += static_cast<double>(fault.enabled.numerator) / fault.enabled.denominator;
    if (at < share) return &fault;
  }
  return nullptr;
}

}  // namespace

void RedisProxyFilter::serve(filter::Accepted accepted, worker::WorkerServices& worker,
                             base::List<filter::LiveConnection>& list) const {
  Session::start(worker, settings_, std::move(accepted), list);
}

void Session::start(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted accepted,
                    base::List<filter::LiveConnection>& list) {
  auto* session = new Session(worker, std::move(settings), accepted);
  session->counted = std::move(accepted.counted);
  session->begin(list);
}

Session::Session(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted& accepted)
    : NetworkConnection(worker, accepted),
      settings_(std::move(settings)),
      pool_(settings_->pools->get(worker)),
      splitter_(worker, *settings_, pool_),
      transaction_(*settings_, pool_),
      limit_(std::max<size_t>(accepted.buffer_limit, 1)),
      flush_timer_(worker.loop.timers(), [this] { finish("flush_timeout"); }),
      allowed_(!settings_->needsAuth()) {
  if (!allowed_) framer_.limit(kBeforeAuth);
  worker.cells.add(settings_->stats.cx_total);
  worker.cells.add(settings_->stats.cx_active);
}

Session::~Session() {
  worker().cells.sub(settings_->stats.cx_active);
  worker().cells.sub(settings_->stats.rx_bytes_buffered, rx_buffered_);
  worker().cells.sub(settings_->stats.tx_bytes_buffered, tx_buffered_);
}

// --- bytes

size_t Session::credit() {
  if (last_read_) return net::WorkerBuffers::kReadSize;  // read and dropped
  return mayRead() ? net::WorkerBuffers::kReadSize : 0;
}

bool Session::mayRead() {
  if (transaction_.mustBeWaitedFor() || (!held_.empty() && !commands_.empty())) return false;
  return commands_.size() < kMaxCommands && under_way_ < limit_ && downstream().pendingBytes() < limit_;
}

void Session::onData(std::string_view bytes) {
  worker().cells.add(settings_->stats.rx_bytes_total, bytes.size());
  if (last_read_) return;
  framer_.feed(bytes);
  readCommands();
}

// What is answered at once makes room for more, of which nobody would tell later.
void Session::readCommands() {
  do {
    takeWhatMay();
    writeAnswers();
  } while (!starved_ && !last_read_ && !finished() && !closing_ && mayRead());
  if (words_.capacity() > kKeptWords) std::vector<std::string_view>().swap(words_);
}

void Session::takeWhatMay() {
  std::string_view frame;
  reading_ = true;
  starved_ = false;
  while (!last_read_ && mayRead()) {
    if (!held_.empty()) {
      const std::string held = std::exchange(held_, {});
      take(held);
      continue;
    }
    const redis::Framer::Result result = framer_.next(frame);
    starved_ = result == redis::Framer::Result::kNeedsMore;
    if (starved_) break;
    if (result == redis::Framer::Result::kBroken) {
      protocolError();
    } else {
      take(frame);
    }
  }
  reading_ = false;
  noteBuffered();
}

void Session::noteBuffered() {
  const auto note = [this](observability::Gauge gauge, size_t& before, size_t now) {
    worker().cells.add(gauge, now - before);  // a gauge's cell may go down by what wraps
    before = now;
  };
  note(settings_->stats.rx_bytes_buffered, rx_buffered_, framer_.waiting());
  note(settings_->stats.tx_bytes_buffered, tx_buffered_, downstream().pendingBytes());
}

// Answers go in the order of the commands, as far as they are there.
void Session::writeAnswers() {
  size_t written = 0;
  while (!commands_.empty() && commands_.front()->done()) {
    const Command& command = *commands_.front();
    downstream().write(command.reply());
    written += command.reply().size();
    under_way_ -= command.bytes();
    commands_.pop_front();
  }
  if (written > 0) {
    worker().cells.add(settings_->stats.tx_bytes_total, written);
    noteBuffered();
  }
  closeIfDone();
}

void Session::onCommandDone() {
  if (reading_ || finished() || closing_) return;
  writeAnswers();
  if (!finished() && !closing_) {
    readCommands();
    downstream().resumeReading();
  }
}

// --- ends

void Session::onEnd() {
  ended_ = true;
  closeIfDone();
}

void Session::drain() {
  draining_ = true;
  closeIfDone();
}

void Session::closeIfDone() {
  if (closing_ || finished() || !commands_.empty()) return;
  if (last_read_) return close();
  if (!starved_ || !held_.empty()) return;
  const bool drained = draining_ && !transaction_.active() && framer_.waiting() == 0;
  if (drained && !ended_) worker().cells.add(settings_->stats.cx_drain_close);
  if (drained || ended_) close();
}

void Session::close() {
  last_read_ = closing_ = true;
  downstream().shutdownWrites();
  flush_timer_.arm(net::Connection::kPatience);
  onFlushed();
}

void Session::onFlushed() {
  if (finished()) return;
  if (closing_) {
    if (downstream().pendingBytes() == 0) finish({});
    return;
  }
  readCommands();
  if (!finished() && !closing_) downstream().resumeReading();
}

bool Session::over(std::string_view) {
  const bool cut = !commands_.empty() || transaction_.active();
  closing_ = true;
  flush_timer_.cancel();
  commands_.clear();
  return cut;
}

// --- commands

void Session::take(std::string_view frame) {
  if (!redis::parseCommand(frame, words_)) {
    invalid();
  } else if (overtakes(words_)) {
    held_ = frame;
    return;
  } else {
    dispatch(words_);
  }
  commands_.back()->setBytes(frame.size());
  under_way_ += frame.size();
}

// A transaction has a connection of its own: it begins when everything in front of it is answered.
bool Session::overtakes(Words words) const {
  if (commands_.empty() || transaction_.active()) return false;
  return base::equalsLowered(words[0], "multi") || base::equalsLowered(words[0], "watch");
}

void Session::protocolError() {
  worker().cells.add(settings_->stats.cx_protocol_error);
  last_read_ = true;
  refuse("downstream protocol error");
}

void Session::invalid() {
  worker().cells.add(settings_->stats.invalid_request);
  refuse("invalid request");
}

Command& Session::add(const ServedCommand* served) {
  return *commands_.emplace_back(
      std::make_unique<Command>(worker(), *settings_, static_cast<Command::Owner&>(*this), served));
}

void Session::answer(std::string reply) {
  add(nullptr).answer(std::move(reply), true);
}

void Session::dispatch(Words words) {
  const std::string name = base::lowered(shown(words[0]));
  const auto found = settings_->commands.find(name);
  const bool known = found != settings_->commands.end() && words[0].size() == name.size();
  if (known && found->second.command.handling == Handling::kAuth) return auth(words);
  if (!allowed_) return refuse("NOAUTH Authentication required.");
  if (!known) {
    worker().cells.add(settings_->stats.unsupported_command);
    std::string text = base::strCat("ERR unknown command '", shown(words[0]), "', with args beginning with:");
    if (words.size() > 1) base::strAppend(text, " '", shown(words[1]), "'");
    return refuse(text);
  }
  const ServedCommand& served = found->second;
  if (words.size() - 1 < served.command.arguments) return invalid();
  if (!answeredHere(words, served)) serve(words, served);
}

void Session::serve(Words words, const ServedCommand& served) {
  Command& command = add(&served);
  if (const Fault* const fault = drawFault(served.faults, worker().random)) {
    command.delayBy(fault->delay);
    if (fault->error) {
      worker().cells.add(served.stats.error_fault);
      return command.fail("Fault Injected: Error");
    }
  }
  if (transaction_.takes(served.command)) return transaction_.send(words, command);
  splitter_.send(words, command);
}

bool Session::answeredHere(Words words, const ServedCommand& served) {
  switch (served.command.handling) {
    case Handling::kPing:
      if (words.size() < 2) {
        answer(redis::simple("PONG"));
        return true;
      }
      [[fallthrough]];
    case Handling::kEcho: {
      if (words.size() != 2) {
        invalid();
        return true;
      }
      std::string reply;
      redis::appendBulk(words[1], reply);
      answer(std::move(reply));
      return true;
    }
    case Handling::kTime:
      answer(timeNow());
      return true;
    case Handling::kQuit:
      answer(redis::simple("OK"));
      last_read_ = true;
      return true;
    case Handling::kSelect:
      // Connections to hosts are everybody's, so nobody may change the database of one.
      answer(words[1] == "0" ? redis::simple("OK") : redis::error("ERR only database 0 is served"));
      return true;
    case Handling::kClient: {
      const std::string what = base::lowered(shown(words[1]));
      const bool taken = what == "setname" || what == "setinfo";  // clients begin with it; nobody asks for it
      answer(taken ? redis::simple("OK")
                   : redis::error(
                         base::strCat("ERR CLIENT subcommand '", shown(words[1]), "' is not supported by the proxy")));
      return true;
    }
    default:
      return false;
  }
}

// A user without a name is called "default".
void Session::auth(Words words) {
  if (words.size() < 2 || words.size() > 3) return invalid();
  const bool named = words.size() == 3;
  const std::string_view password = words.back();
  if (!settings_->needsAuth()) {
    return refuse(named ? "ERR Client sent AUTH, but no username-password pair is set"
                        : "ERR Client sent AUTH, but no password is set");
  }
  bool good = false;
  for (const std::string& wanted : settings_->passwords) good |= base::sameSecret(password, wanted);
  const std::string_view user = settings_->username.empty() ? std::string_view("default") : settings_->username;
  if (named) good &= base::sameSecret(words[1], user);
  allowed_ = good;
  framer_.limit(allowed_ ? redis::Limits() : kBeforeAuth);
  if (good) return answer(redis::simple("OK"));
  refuse(named ? "WRONGPASS invalid username-password pair" : "ERR invalid password");
}

}  // namespace sluice::extensions::network_filters::redis_proxy
