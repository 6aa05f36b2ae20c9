#include "source/tls/ocsp.h"

#include <openssl/asn1.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/x509.h>

#include <optional>

#include "source/base/text.h"
#include "source/tls/certificate.h"

namespace sluice::tls {
namespace {

constexpr unsigned kSuccessful = 0;
// 1.3.6.1.5.5.7.48.1.1, id-pkix-ocsp-basic
constexpr uint8_t kBasicResponse[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
constexpr uint8_t kSha1[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};
constexpr uint8_t kSha256[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};

constexpr unsigned context(unsigned tag) {
  return CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | tag;
}

std::string_view viewOf(const CBS& bytes) {
  return {reinterpret_cast<const char*>(CBS_data(&bytes)), CBS_len(&bytes)};
}

// GeneralizedTime, "20260102030405Z".
std::optional<int64_t> timeOf(const CBS& text) {
  const std::string_view digits = viewOf(text);
  if (digits.size() != 15 || digits.back() != 'Z') return std::nullopt;
  int numbers[7];  // the year in two halves
  for (size_t i = 0; i < 7; ++i) {
    const char high = digits[2 * i], low = digits[2 * i + 1];
    if (high < '0' || high > '9' || low < '0' || low > '9') return std::nullopt;
    numbers[i] = (high - '0') * 10 + (low - '0');
  }
  tm calendar{};
  calendar.tm_year = numbers[0] * 100 + numbers[1] - 1900;
  calendar.tm_mon = numbers[2] - 1;
  calendar.tm_mday = numbers[3];
  calendar.tm_hour = numbers[4];
  calendar.tm_min = numbers[5];
  calendar.tm_sec = numbers[6];
  return timegm(&calendar);
}

// OCSPResponse -> the ResponseData inside. Null: taken; else what is wrong.
const char* openResponse(CBS in, CBS& data) {
  CBS response, status, holder, bytes, type, basic, basic_sequence;
  if (!CBS_get_asn1(&in, &response, CBS_ASN1_SEQUENCE) || CBS_len(&in) != 0 ||
      !CBS_get_asn1(&response, &status, CBS_ASN1_ENUMERATED) || CBS_len(&status) != 1) {
    return "it is no OCSP response in DER form";
  }
  if (CBS_data(&status)[0] != kSuccessful) return "its status is not 'successful'";
  if (!CBS_get_asn1(&response, &holder, context(0)) || !CBS_get_asn1(&holder, &bytes, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&bytes, &type, CBS_ASN1_OBJECT) || !CBS_get_asn1(&bytes, &basic, CBS_ASN1_OCTETSTRING)) {
    return "it has no response bytes";
  }
  if (!CBS_mem_equal(&type, kBasicResponse, sizeof(kBasicResponse))) return "it is no basic OCSP response";
  if (!CBS_get_asn1(&basic, &basic_sequence, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&basic_sequence, &data, CBS_ASN1_SEQUENCE)) {
    return "its basic response is malformed";
  }
  return nullptr;
}

// ResponseData -> the list of SingleResponse.
bool openList(CBS data, CBS& list) {
  CBS produced;
  int has_version;
  CBS version;
  return CBS_get_optional_asn1(&data, &version, &has_version, context(0)) &&
         (CBS_peek_asn1_tag(&data, context(1)) || CBS_peek_asn1_tag(&data, context(2))) &&
         CBS_get_any_asn1_element(&data, nullptr, nullptr, nullptr) &&  // responderID
         CBS_get_asn1(&data, &produced, CBS_ASN1_GENERALIZEDTIME) && CBS_get_asn1(&data, &list, CBS_ASN1_SEQUENCE);
}

struct Single {
  CBS hash_algorithm, issuer_name_hash, serial;
  unsigned status_tag = 0;
  int64_t this_update = 0, next_update = 0;
};

bool readSingle(CBS& list, Single& out) {
  CBS single, id, algorithm, key_hash, status, time, next;
  int has_next;
  if (!CBS_get_asn1(&list, &single, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&single, &id, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&algorithm, &out.hash_algorithm, CBS_ASN1_OBJECT) ||
      !CBS_get_asn1(&id, &out.issuer_name_hash, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&id, &key_hash, CBS_ASN1_OCTETSTRING) || !CBS_get_asn1(&id, &out.serial, CBS_ASN1_INTEGER) ||
      !CBS_get_any_asn1(&single, &status, &out.status_tag) || !CBS_get_asn1(&single, &time, CBS_ASN1_GENERALIZEDTIME) ||
      !CBS_get_optional_asn1(&single, &next, &has_next, context(0))) {
    return false;
  }
  const std::optional<int64_t> this_update = timeOf(time);
  if (!this_update) return false;
  out.this_update = *this_update;
  if (has_next) {
    CBS next_time;
    if (!CBS_get_asn1(&next, &next_time, CBS_ASN1_GENERALIZEDTIME)) return false;
    const std::optional<int64_t> next_update = timeOf(next_time);
    if (!next_update) return false;
    out.next_update = *next_update;
  }
  return true;
}

std::string serialBytes(const x509_st& certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(&certificate);
  std::string out(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                  static_cast<size_t>(ASN1_STRING_length(serial)));
  return out;
}

// Both without the zeros in front, which DER needs only for the sign.
bool sameNumber(std::string_view a, std::string_view b) {
  const auto strip = [](std::string_view& number) {
    while (!number.empty() && number[0] == '\0') number.remove_prefix(1);
  };
  strip(a);
  strip(b);
  return a == b;
}

std::string issuerDer(const x509_st& certificate) {
  uint8_t* der = nullptr;
  const int size = i2d_X509_NAME(X509_get_issuer_name(&certificate), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool isAbout(const Single& single, const x509_st& certificate) {
  if (!sameNumber(viewOf(single.serial), serialBytes(certificate))) return false;
  const std::string issuer = issuerDer(certificate);
  if (CBS_mem_equal(&single.hash_algorithm, kSha1, sizeof(kSha1)))
    return viewOf(single.issuer_name_hash) == sha1(issuer);
  if (CBS_mem_equal(&single.hash_algorithm, kSha256, sizeof(kSha256))) {
    return viewOf(single.issuer_name_hash) == sha256(issuer);
  }
  return true;  // a hash we do not know; the serial number has to do
}

}  // namespace

absl::StatusOr<OcspStaple> parseOcspStaple(std::string_view der, const x509_st& certificate) {
  const auto wrong = [](std::string_view why) {
    return absl::InvalidArgumentError(base::strCat("ocsp_staple: ", why));
  };
  CBS in, data, list;
  CBS_init(&in, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  if (const char* why = openResponse(in, data)) return wrong(why);
  if (!openList(data, list)) return wrong("its response data is malformed");
  while (CBS_len(&list) > 0) {
    Single single;
    if (!readSingle(list, single)) return wrong("a response in it is malformed");
    if (!isAbout(single, certificate)) continue;
    if ((single.status_tag & CBS_ASN1_TAG_NUMBER_MASK) == 1) return wrong("it says that the certificate is revoked");
    return OcspStaple{std::string(der), single.this_update, single.next_update};
  }
  return wrong("it is not about this certificate (serial number and issuer differ); fetch the staple of this one");
}

}  // namespace sluice::tls
