// What is known of an HTTP request and its response. (proto: envoy.type.matcher.v3.Http*MatchInput)
//
// Where a head or trailers may still come nothing can be said yet. Views are of the message, or of the scratch where a
// value has to be made.
#pragma once

#include <string>
#include <string_view>

#include "source/match/header.h"
#include "source/match/input.h"

namespace sluice::extensions::matching::inputs::http {

using match::Data;
using match::Scratch;
using match::Value;

// A field by its name, as all of its lines together say it: joined by commas, cookies by "; ".
class Field {
 public:
  // `name` is in lower case; `host` means ":authority".
  explicit Field(std::string_view name);

  Value in(const sluice::http::RequestHeaders* head, Scratch& scratch) const;
  Value in(const sluice::http::ResponseHeaders* head, Scratch& scratch) const;
  Value in(const sluice::http::Trailers* trailers, Scratch& scratch) const;

 private:
  Value joined(const sluice::http::HeaderList& fields, Scratch& scratch) const;

  std::string name_;
  sluice::http::Name id_;
};

class RequestHeader : public match::Input {
 public:
  explicit RequestHeader(std::string_view name) : field_(name) {}
  uint8_t needs() const override { return match::kRequest; }
  Value get(const Data& data, Scratch& scratch) const override { return field_.in(data.request, scratch); }

 private:
  const Field field_;
};

class RequestTrailer : public match::Input {
 public:
  explicit RequestTrailer(std::string_view name) : field_(name) {}
  uint8_t needs() const override { return match::kRequestTrailers; }
  Value get(const Data& data, Scratch& scratch) const override { return field_.in(data.request_trailers, scratch); }

 private:
  const Field field_;
};

class ResponseHeader : public match::Input {
 public:
  explicit ResponseHeader(std::string_view name) : field_(name) {}
  uint8_t needs() const override { return match::kResponse; }
  Value get(const Data& data, Scratch& scratch) const override { return field_.in(data.response, scratch); }

 private:
  const Field field_;
};

class ResponseTrailer : public match::Input {
 public:
  explicit ResponseTrailer(std::string_view name) : field_(name) {}
  uint8_t needs() const override { return match::kResponseTrailers; }
  Value get(const Data& data, Scratch& scratch) const override { return field_.in(data.response_trailers, scratch); }

 private:
  const Field field_;
};

// The first value of a parameter, decoded: %XX in its name and value stand for bytes, "+" for itself.
class QueryParameter : public match::Input {
 public:
  explicit QueryParameter(std::string_view name) : name_(name) {}
  uint8_t needs() const override { return match::kRequest; }
  Value get(const Data& data, Scratch& scratch) const override;

 private:
  const std::string name_;
};

class StatusCode : public match::Input {
 public:
  uint8_t needs() const override { return match::kResponse; }
  Value get(const Data& data, Scratch& scratch) const override;
};

// "2xx"; absent for a status outside of 100 to 599.
class StatusCodeClass : public match::Input {
 public:
  uint8_t needs() const override { return match::kResponse; }
  Value get(const Data& data, Scratch& scratch) const override;
};

// "true" or "false".
class LocalReply : public match::Input {
 public:
  uint8_t needs() const override { return match::kResponse; }
  Value get(const Data& data, Scratch& scratch) const override;
};

}  // namespace sluice::extensions::matching::inputs::http
