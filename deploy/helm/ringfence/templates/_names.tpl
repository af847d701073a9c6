{{- define "ringfence.selector" -}}
app.kubernetes.io/name: ringfence
app.kubernetes.io/component: agent
{{- end }}

{{- define "ringfence.labels" -}}
{{ include "ringfence.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ringfence.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "ringfence.port" -}}
{{ regexFind "[0-9]+$" .Values.listen }}
{{- end }}

{{- define "ringfence.loopback" -}}
{{- if or (hasPrefix "127." .Values.listen) (hasPrefix "[::1]:" .Values.listen) }}yes{{ end -}}
{{- end }}

{{- /* Whom the kubelet asks: the pod's address is the node's, loopback needs a name. */ -}}
{{- define "ringfence.get" -}}
httpGet:
  {{- if include "ringfence.loopback" .root }}
  host: {{ regexReplaceAll ":[0-9]+$" .root.Values.listen "" | trimPrefix "[" | trimSuffix "]" | quote }}
  {{- end }}
  path: {{ .path }}
  port: {{ include "ringfence.port" .root }}
{{- end }}
