#include "source/extensions/filters/udp/dns_filter/message.h"

#include <algorithm>

#include "source/base/ascii.h"
#include "source/extensions/filters/udp/dns_filter/name.h"

namespace sluice::extensions::udp_filters::dns_filter {
namespace {

constexpr size_t kHeader = 12;
constexpr size_t kOptSize = 11;
constexpr uint16_t kInternet = 1;
constexpr std::string_view kQuestionsName = "\xc0\x0c";  // a pointer to the first byte behind the header

// Reads from the beginning on; what is not there reads as nothing, and sets `short_of_bytes`.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool shortOfBytes() const { return short_; }
  size_t at() const { return at_; }
  std::string_view take(size_t size) {
    if (size > bytes_.size() - at_) {
      short_ = true;
      size = 0;
    }
    const std::string_view out = bytes_.substr(at_, size);
    at_ += size;
    return out;
  }
  uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  uint16_t number() {
    const auto high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
  bool short_ = false;
};

void appendNumber(uint16_t value, std::string& out) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}
void setNumber(uint16_t value, size_t at, std::string& out) {
  out[at] = static_cast<char>(value >> 8);
  out[at + 1] = static_cast<char>(value & 0xff);
}

std::string_view bytesOf(const net::Address& address) {
  const sockaddr* const any = address.sockaddrPointer();
  if (address.family() == net::Address::Family::kIpv4) {
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(any)->sin_addr), 4};
  }
  return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(any)->sin6_addr), 16};
}

RecordType typeOf(const net::Address& address) {
  return address.family() == net::Address::Family::kIpv4 ? RecordType::kA : RecordType::kAaaa;
}

Parsed told(Parsed parsed, Rcode rcode) {
  parsed.result = Parsed::Result::kAnswerOnly;
  parsed.rcode = rcode;
  return parsed;
}

// False: it is longer than names may be, or has a pointer.
bool readName(Reader& reader, Parsed& parsed) {
  for (;;) {
    const uint8_t length = reader.byte();
    if (reader.shortOfBytes()) return false;
    if (length == 0) return true;
    if (length > kMaxLabel) return false;
    const std::string_view label = reader.take(length);
    if (reader.shortOfBytes()) return false;
    parsed.query.name += static_cast<char>(length);
    parsed.query.name += base::lowered(label);
    parsed.long_name = parsed.query.name.size() > kMaxName;
    if (parsed.long_name) return false;
  }
}

// The first of the additional records, if it says what may be sent.
void readOpt(Reader& reader, uint16_t additional, Query& query) {
  if (additional == 0 || reader.byte() != 0) return;
  if (reader.number() != static_cast<uint16_t>(RecordType::kOpt)) return;
  const uint16_t size = reader.number();
  if (reader.shortOfBytes()) return;
  query.edns = true;
  query.limit = std::clamp<size_t>(size, 512, Answer::kMaxSize);
}

}  // namespace

Parsed parseQuery(std::string_view datagram) {
  Parsed parsed;
  Reader reader(datagram);
  parsed.query.id = reader.number();
  const uint16_t flags = reader.number();
  const uint16_t questions = reader.number();
  const uint16_t answers = reader.number();
  const uint16_t authorities = reader.number();
  const uint16_t additional = reader.number();
  parsed.short_of_bytes = reader.shortOfBytes();
  // An answer to an answer could go on for ever.
  if (parsed.short_of_bytes || (flags & 0x8000) != 0) return parsed;
  parsed.query.recursion_desired = (flags & 0x0100) != 0;
  if ((flags & 0x7800) != 0) return told(std::move(parsed), Rcode::kNotImplemented);
  if (questions != 1 || answers != 0 || authorities != 0) return told(std::move(parsed), Rcode::kFormatError);
  const bool named = readName(reader, parsed);
  const size_t begin = kHeader;
  parsed.query.type = reader.number();
  const uint16_t category = reader.number();
  parsed.short_of_bytes = reader.shortOfBytes();
  if (!named || parsed.short_of_bytes) return told(std::move(parsed), Rcode::kFormatError);
  parsed.query.question = datagram.substr(begin, reader.at() - begin);
  readOpt(reader, additional, parsed.query);
  if (category != kInternet) return told(std::move(parsed), Rcode::kRefused);
  parsed.result = Parsed::Result::kQuery;
  return parsed;
}

Answer::Answer(const Query& query, bool authoritative)
    : query_(query), authoritative_(authoritative), limit_(query.limit - (query.edns ? kOptSize : 0)) {
  out_.assign(kHeader, '\0');
  out_ += query.question;
}

bool Answer::add(std::string_view name, RecordType type, uint32_t ttl, std::string_view data, uint16_t& counter) {
  if (out_.size() + name.size() + 10 + data.size() > limit_) return false;
  out_ += name;
  appendNumber(static_cast<uint16_t>(type), out_);
  appendNumber(kInternet, out_);
  appendNumber(static_cast<uint16_t>(ttl >> 16), out_);
  appendNumber(static_cast<uint16_t>(ttl & 0xffff), out_);
  appendNumber(static_cast<uint16_t>(data.size()), out_);
  out_ += data;
  ++counter;
  return true;
}

bool Answer::addAddress(const net::Address& address, uint32_t ttl) {
  return add(kQuestionsName, typeOf(address), ttl, bytesOf(address), answers_);
}

bool Answer::addService(uint16_t priority, uint16_t weight, uint16_t port, std::string_view target, uint32_t ttl) {
  std::string data;
  appendNumber(priority, data);
  appendNumber(weight, data);
  appendNumber(port, data);
  data += target;
  data += '\0';
  return add(kQuestionsName, RecordType::kSrv, ttl, data, answers_);
}

bool Answer::addOther(std::string_view name, const net::Address& address, uint32_t ttl) {
  std::string whole(name);
  whole += '\0';
  return add(whole, typeOf(address), ttl, bytesOf(address), others_);
}

std::string Answer::finish(Rcode rcode) {
  setNumber(query_.id, 0, out_);
  uint16_t flags = 0x8080;  // an answer; recursion is available, as far as it goes
  if (authoritative_) flags |= 0x0400;
  if (query_.recursion_desired) flags |= 0x0100;
  setNumber(static_cast<uint16_t>(flags | static_cast<uint16_t>(rcode)), 2, out_);
  setNumber(query_.question.empty() ? 0 : 1, 4, out_);
  setNumber(answers_, 6, out_);
  setNumber(static_cast<uint16_t>(others_ + (query_.edns ? 1 : 0)), 10, out_);
  if (query_.edns) {
    out_ += '\0';
    appendNumber(static_cast<uint16_t>(RecordType::kOpt), out_);
    appendNumber(kMaxSize, out_);
    out_.append(6, '\0');
  }
  return std::move(out_);
}

}  // namespace sluice::extensions::udp_filters::dns_filter
