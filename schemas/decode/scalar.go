package decode

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var yamlFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// resolve gives a plain YAML scalar the type that YAML 1.1 gives it in kubectl
// (go-yaml v2): more words are booleans and more digits are numbers than in YAML 1.2.
// Dates stay strings, as JSON has none.
func resolve(text string) (nodeKind, any) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nullNode, nil
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return boolNode, true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return boolNode, false
	case ".nan", ".NaN", ".NAN":
		return floatNode, math.NaN()
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return floatNode, math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return floatNode, math.Inf(-1)
	}
	switch c := text[0]; {
	case c == '.':
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return floatNode, f
		}
	case c == '+' || c == '-' || c >= '0' && c <= '9':
		if !isDate(text) {
			return number(strings.ReplaceAll(text, "_", ""), text)
		}
	}
	return stringNode, text
}

// number resolves what starts like a number; text if it is none.
func number(digits, text string) (nodeKind, any) {
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return intNode, i
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return intNode, u
	}
	if yamlFloat.MatchString(digits) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return floatNode, f
		}
	}
	return stringNode, text
}

// isDate tells whether text is a YAML 1.1 timestamp.
func isDate(text string) bool {
	if len(text) < 8 || text[4] != '-' {
		return false
	}
	for _, layout := range []string{
		"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2",
	} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// keyString renders a map key that is not a string as Kubernetes does.
func keyString(kind nodeKind, value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 32), kind == floatNode
	}
	return "", false
}
