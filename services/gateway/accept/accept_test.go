package accept

import "testing"

func TestChoose(t *testing.T) {
	const kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
	tests := []struct {
		header string
		kinds  []string
		want   Choice
		ok     bool
	}{
		{"", nil, Choice{}, true},
		{"*/*", nil, Choice{}, true},
		{"application/json", nil, Choice{}, true},
		{"application/yaml", nil, Choice{YAML: true}, true},
		{"application/json;q=0.5, application/yaml", nil, Choice{YAML: true}, true},
		{kubectl, []string{Table, Partial}, Choice{As: Table}, true},
		{kubectl, nil, Choice{}, true},
		{"application/json;as=Table;v=v1beta1;g=meta.k8s.io", []string{Table}, Choice{}, false},
		{"application/vnd.kubernetes.protobuf,application/json", nil, Choice{}, true},
		{"application/vnd.kubernetes.protobuf", nil, Choice{}, false},
		{"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
			[]string{PartialList}, Choice{As: PartialList}, true},
		{"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
			[]string{Discovery}, Choice{As: Discovery}, true},
		{"application/json;q=0", nil, Choice{}, false},
		{"text/html, image/gif, */*; q=.2", nil, Choice{}, true},
		{";;;", nil, Choice{}, false},
	}
	for _, tt := range tests {
		got, ok := Choose(tt.header, tt.kinds...)
		if got != tt.want || ok != tt.ok {
			t.Errorf("%q %v: got %+v %v, want %+v %v", tt.header, tt.kinds, got, ok, tt.want, tt.ok)
		}
	}
}

func TestAmong(t *testing.T) {
	const text, message = "application/json", "application/a.v2.v1.0+protobuf"
	for header, want := range map[string]string{
		"": text, "*/*": text, "application/*": text,
		message: message, "application/a.v2@v1.0+protobuf": message,
		"application/json;q=0.5, " + message: message, message + ";q=0.5,*/*": text,
		"application/yaml": "", "text/html": "",
	} {
		if got, ok := Among(header, text, message); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}
