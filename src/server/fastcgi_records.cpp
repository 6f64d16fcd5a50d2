// SPDX-License-Identifier: MIT
#include "server/fastcgi_records.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace kheops {

namespace {

constexpr size_t kHeaderSize = 8;
constexpr unsigned kVersion = 1;
constexpr unsigned kBeginRequest = 1;
constexpr unsigned kParameters = 4;
constexpr unsigned kBody = 5;
constexpr unsigned kResponder = 1;

unsigned octet_at(std::string_view octets, size_t position) {
    return static_cast<unsigned char>(octets[position]);
}

struct Record {
    unsigned request;
    std::string_view content;
    bool is_padded;
};

/// Reads records one by one.
class Records {
  public:
    explicit Records(std::string_view octets) : rest_(octets) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    /// Whether the next record, as far as it has arrived, may be of that type. So the caller can
    /// reject a wrong record before all of it has arrived.
    [[nodiscard]] bool may_continue_with(unsigned type) const {
        return (rest_.empty() || octet_at(rest_, 0) == kVersion) &&
               (rest_.size() < kHeaderSize || octet_at(rest_, 1) == type);
    }

    /// The next record; empty if a part of it is missing.
    std::optional<Record> take() {
        if (rest_.size() < kHeaderSize) {
            return std::nullopt;
        }
        const size_t content = octet_at(rest_, 4) << 8U | octet_at(rest_, 5);
        const size_t padding = octet_at(rest_, 6);
        const size_t size = kHeaderSize + content + padding;
        if (rest_.size() < size) {
            return std::nullopt;
        }
        const Record record = {octet_at(rest_, 2) << 8U | octet_at(rest_, 3),
                               rest_.substr(kHeaderSize, content), padding > 0};
        rest_.remove_prefix(size);
        return record;
    }

  private:
    std::string_view rest_;
};

/// Reads the name-value pairs of a parameter stream (section 3.4).
class Pairs {
  public:
    explicit Pairs(std::string_view stream) : rest_(stream) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    /// False if the pair overruns the stream.
    bool take(std::string_view& name, std::string_view& value) {
        const std::optional<size_t> name_size = take_size();
        const std::optional<size_t> value_size = name_size ? take_size() : std::nullopt;
        if (!value_size || *name_size > rest_.size() || *value_size > rest_.size() - *name_size) {
            return false;
        }
        name = rest_.substr(0, *name_size);
        value = rest_.substr(*name_size, *value_size);
        rest_.remove_prefix(*name_size + *value_size);
        return true;
    }

  private:
    /// Reads one octet, or four with the highest bit set; empty if the stream ends too early.
    std::optional<size_t> take_size() {
        if (rest_.empty()) {
            return std::nullopt;
        }
        const bool is_long = (octet_at(rest_, 0) & 0x80U) != 0;
        const size_t width = is_long ? 4 : 1;
        if (rest_.size() < width) {
            return std::nullopt;
        }
        std::uint32_t size = 0;
        for (size_t i = 0; i < width; ++i) {
            size = size << 8U | octet_at(rest_, i);
        }
        rest_.remove_prefix(width);
        return is_long ? size & 0x7FFFFFFFU : size;
    }

    std::string_view rest_;
};

bool holds_nul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

RequestFraming inspect_parameters(std::string_view stream) {
    RequestFraming framing{RequestFraming::State::whole};
    Pairs pairs(stream);
    std::string_view name;
    std::string_view value;
    while (!pairs.at_end()) {
        if (!pairs.take(name, value)) {
            return {RequestFraming::State::malformed};
        }
        if (holds_nul(name) || holds_nul(value)) {
            const bool is_path = name == "PATH_INFO" || name == "SCRIPT_NAME";
            (is_path ? framing.nul_in_path : framing.nul_elsewhere) = true;
        }
        if (name == "KHEOPS_WEBHOOKS_OPERATOR" && value == "yes") {
            framing.from_operator = true;
        }
    }
    return framing;
}

/// Whether `records` hold the whole body of the request, and nothing after it.
bool end_with_body(Records records, unsigned request) {
    while (records.may_continue_with(kBody)) {
        const std::optional<Record> record = records.take();
        if (!record || record->request != request) {
            return false;
        }
        if (record->content.empty()) {
            return records.at_end() && !record->is_padded;
        }
    }
    return false;
}

}  // namespace

RequestFraming inspect_request(std::string_view octets) {
    constexpr RequestFraming kPartial{RequestFraming::State::partial};
    constexpr RequestFraming kMalformed{RequestFraming::State::malformed};
    constexpr size_t kBeginSize = 8;

    Records records(octets);
    if (!records.may_continue_with(kBeginRequest)) {
        return kMalformed;
    }
    const std::optional<Record> begin = records.take();
    if (!begin) {
        return kPartial;
    }
    if (begin->request == 0 || begin->content.size() != kBeginSize || begin->is_padded ||
        (octet_at(begin->content, 0) << 8U | octet_at(begin->content, 1)) != kResponder) {
        return kMalformed;
    }

    std::string parameters;
    for (;;) {
        if (!records.may_continue_with(kParameters)) {
            return kMalformed;
        }
        const std::optional<Record> record = records.take();
        if (!record) {
            return kPartial;
        }
        if (record->request != begin->request) {
            return kMalformed;
        }
        if (record->content.empty()) {
            if (record->is_padded) {
                return kMalformed;
            }
            break;
        }
        parameters += record->content;
    }

    RequestFraming framing = inspect_parameters(parameters);
    framing.body_complete = end_with_body(records, begin->request);
    return framing;
}

}  // namespace kheops
